/**
 * Owns what is new, and has to wait: a digest that a tag did not have before passes once this Granary has seen it there for as long as the
 * upstream's cooldown says, or when a person approves it. What documents claim about their age never counts. It asks no upstream, and for
 * upstreams without a cooldown it does nothing.
 */
import { LRUCache } from "lru-cache";
import { formatDuration } from "../../bytes/units.ts";
import { GranaryError } from "../../errors.ts";
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Sighting, SightingKey, SightingRows } from "../../metadata/sighting-rows.ts";
import { formatAge } from "../../observe/age.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { EventTeller } from "../../records/events.ts";
import type { ManifestHead } from "../../source.ts";
import { mostEntries } from "../../waiting/expiry.ts";

export type CooldownParts = {
  readonly rows: SightingRows;
  readonly clock: Clock;
  readonly events: EventTeller;
};

/** By name of the upstream, in milliseconds; absent or 0: what is new passes at once. */
export type Cooldowns = ReadonlyMap<string, number>;

/** A digest that waits. */
export type HeldSighting = Sighting & {
  /** Epoch ms. */
  readonly passesAt: number;
};

/** What is asked for is too new. Its message is for whoever asked; `warning` is for those who get what was known before. */
export class HeldBack extends GranaryError {
  readonly warning: string;

  constructor(sighting: HeldSighting, now: number) {
    const { upstream, passesAt, digest, firstSeenAt } = sighting;
    const name = nameOf(sighting);
    const until = new Date(passesAt).toISOString();
    const since = `first seen here ${formatAge(firstSeenAt, now)}`;
    const message = `${name} is held back: ${digest} was ${since} and passes at ${until} (upstreams.${upstream}.cooldown); "granary approve ${name}" lets it through now.`;
    super("denied", message, { target: name });
    this.warning = `held back: ${upstream} names ${digest} for this tag, ${since}; it passes at ${until}`;
  }
}

/** What this process remembers of what it saw; the rest is in the database. */
const REMEMBERED = 10_000;
/** How exactly it is written down when something was seen last. */
const SEEN_MS = 60_000;

export class Cooldown {
  readonly #parts: CooldownParts;
  #cooldowns: Cooldowns;
  /** Grows with everything that is written down here. */
  #revision = 0;
  /** Also those that could not be written. */
  readonly #recent = new LRUCache<string, Sighting>(mostEntries(REMEMBERED));
  /** When this process saw it first, of the clock's `elapsed`: nobody sets that, as they set the date. */
  readonly #seenHere = new LRUCache<string, number>(mostEntries(REMEMBERED));

  constructor(parts: CooldownParts, cooldowns: Cooldowns) {
    this.#parts = parts;
    this.#cooldowns = cooldowns;
  }

  use(cooldowns: Cooldowns): void {
    this.#cooldowns = cooldowns;
    this.#revision += 1;
  }

  /** Changes with whatever may change what has to wait, but for the time. */
  get revision(): number {
    return this.#revision;
  }

  /** Those that are in use, by upstream. */
  get all(): Cooldowns {
    return this.#cooldowns;
  }

  isCooling(upstream: string): boolean {
    return (this.#cooldowns.get(upstream) ?? 0) > 0;
  }

  /**
   * The upstream names `head` for the tag now, which was `served` until now (undefined: nothing was). Returns when that passes; throws
   * HeldBack.
   */
  async admit(
    where: RepositoryKey,
    tag: string,
    head: ManifestHead,
    served: ManifestHead | undefined,
  ): Promise<void> {
    const { upstream, repository } = where;
    if (!this.isCooling(upstream)) return;
    const now = this.#parts.clock.now();
    const seen = { ...head, upstream, repository, tag, lastSeenAt: now };
    const known = await this.#find(seen);
    if (known === undefined && served !== undefined) await this.#recordServed(where, tag, served);
    const sighting = known ?? (await this.#see({ ...seen, firstSeenAt: now, state: "held" }));
    if (this.#passes(sighting)) return await this.#record({ ...sighting, lastSeenAt: now, state: "passed" });
    if (now - sighting.lastSeenAt >= SEEN_MS) await this.#record({ ...sighting, lastSeenAt: now });
    throw new HeldBack(this.#held(sighting), now);
  }

  /**
   * A manifest that nothing led to which was let through here is asked for by its digest. `look` asks the upstream for it. Returns when it
   * passes, or is not there; throws HeldBack.
   */
  async admitDigest(
    where: RepositoryKey,
    digest: Digest,
    look: () => Promise<ManifestHead | undefined>,
  ): Promise<void> {
    const seen = await this.#parts.rows.ofDigest(where, digest).catch(() => []);
    const known = seen.find((sighting) => this.#passes(sighting)) ?? seen[0];
    if (known === undefined) {
      const head = await look();
      return head === undefined ? undefined : await this.admit(where, "", head, undefined);
    }
    if (!this.#passes(known)) throw new HeldBack(this.#held(known), this.#parts.clock.now());
  }

  /** What waits now: of each tag what its upstream named last. At most `limit`, the newest first. */
  async heldBack(limit: number): Promise<readonly HeldSighting[]> {
    const held = await this.#parts.rows.held(limit);
    const newest = new Map<string, Sighting>();
    for (const sighting of held) {
      const key = sighting.tag === "" ? keyOf(sighting) : keyOf({ ...sighting, digest: "" });
      if (this.#waits(sighting) && !newest.has(key)) newest.set(key, sighting);
    }
    return [...newest.values()].map((sighting) => this.#held(sighting));
  }

  /** What tags stand for here while what their upstreams name for them has to wait. */
  async servedInstead(limit: number): Promise<ReadonlySet<Digest>> {
    if (![...this.#cooldowns.values()].some((cooldownMs) => cooldownMs > 0)) return new Set();
    const over = await this.#parts.rows.heldOver(limit);
    return new Set(over.filter(({ held }) => this.#waits(held)).map(({ served }) => served));
  }

  /** It passes from now on, at this tag. */
  async approve(sighting: Sighting): Promise<void> {
    const { rows } = this.#parts;
    const { upstream, repository, tag, digest, mediaType, size, firstSeenAt, lastSeenAt } = sighting;
    const approved = {
      upstream,
      repository,
      tag,
      digest,
      mediaType,
      size,
      firstSeenAt,
      lastSeenAt,
      state: "approved",
    } as const;
    // A person waits, and hears when it cannot be written.
    await rows.record(approved);
    this.#recent.set(keyOf(approved), approved);
    this.#revision += 1;
  }

  #waits(sighting: Sighting): boolean {
    return this.isCooling(sighting.upstream) && !this.#passes(sighting);
  }

  #passes(sighting: Sighting): boolean {
    const { clock } = this.#parts;
    if (sighting.state !== "held") return true;
    const cooldownMs = this.#cooldowns.get(sighting.upstream) ?? 0;
    const here = this.#seenHere.get(keyOf(sighting));
    const isOldHere = here === undefined || clock.elapsed() - here >= cooldownMs;
    return isOldHere && clock.now() - sighting.firstSeenAt >= cooldownMs;
  }

  #held(sighting: Sighting): HeldSighting {
    return { ...sighting, passesAt: sighting.firstSeenAt + (this.#cooldowns.get(sighting.upstream) ?? 0) };
  }

  async #see(sighting: Sighting): Promise<Sighting> {
    this.#seenHere.set(keyOf(sighting), this.#parts.clock.elapsed());
    await this.#record(sighting);
    const { upstream, digest } = sighting;
    const waits = formatDuration(this.#cooldowns.get(upstream) ?? 0);
    const text = `${nameOf(sighting)} is new, and held back for ${waits}.`;
    const { repository, tag } = sighting;
    this.#parts.events.tell("held-back", text, {
      upstream,
      repository,
      digest,
      tag: tag === "" ? undefined : tag,
    });
    return sighting;
  }

  /** A tag may come back to what was served before. */
  async #recordServed(
    { upstream, repository }: RepositoryKey,
    tag: string,
    { digest, mediaType, size }: ManifestHead,
  ) {
    const now = this.#parts.clock.now();
    const seen = { upstream, repository, tag, digest, mediaType, size, firstSeenAt: now, lastSeenAt: now };
    if ((await this.#find(seen)) === undefined) await this.#record({ ...seen, state: "passed" });
  }

  async #find(key: SightingKey): Promise<Sighting | undefined> {
    const known = this.#recent.get(keyOf(key)) ?? (await this.#parts.rows.find(key).catch(() => undefined));
    // A date in the future was wrong, and would never grow old.
    const now = this.#parts.clock.now();
    return known !== undefined && known.firstSeenAt > now ? { ...known, firstSeenAt: now } : known;
  }

  /** What cannot be written is remembered by this process; after a restart it waits anew. */
  async #record(sighting: Sighting): Promise<void> {
    this.#recent.set(keyOf(sighting), sighting);
    await this.#parts.rows.record(sighting).catch(() => undefined);
    this.#revision += 1;
  }
}

/** As people name it. */
function nameOf({ upstream, repository, tag, digest }: SightingKey): string {
  return `${upstream}/${repository}${tag === "" ? `@${digest}` : `:${tag}`}`;
}

function keyOf({
  upstream,
  repository,
  tag,
  digest,
}: RepositoryKey & { tag: string; digest: string }): string {
  return `${upstream}\n${repository}\n${tag}\n${digest}`;
}
