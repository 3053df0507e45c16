/**
 * Owns referrers (docs/protocol.md#referrers): always an OCI index of all that the upstream lists, from its referrers API, else from the
 * tag scheme, else an empty one where the upstream says that there are none. While it cannot be asked, the last list is given with a
 * warning; where there is none, that is an error, because an empty list would say that nothing is signed. A list is believed only as
 * long as a "not there", because a signature may appear at any time.
 */
import { LRUCache } from "lru-cache";
import { GranaryError, isGranaryError, reasonOf } from "../../errors.ts";
import type { ListKey, RepositoryKey } from "../../metadata/metadata.ts";
import { formatAge } from "../../observe/age.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Episodes } from "../../observe/episodes.ts";
import { algorithmOf, type Digest, encodedOf } from "../../oci/digest.ts";
import { parseJsonObject } from "../../oci/json-value.ts";
import { OCI_INDEX } from "../../oci/media-types.ts";
import type { ReferrersTarget } from "../../routing/target.ts";
import type { BodyRoom } from "../../upstream/network/body-room.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import { untilDeadline } from "../../waiting/deadline.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import { Disappearances } from "../absence/disappearances.ts";
import type { Links } from "../access/links.ts";
import type { Manifests } from "../manifests.ts";
import type { Asker, Outcome, ReferrersAnswer } from "../mirror.ts";
import { digestsIn, eachItem } from "./list-items.ts";
import type { ListBody, StoredList, StoredLists } from "./stored-lists.ts";

/** A list as the upstream gave it now. `isFromApi`: it came from the referrers API, so this upstream has that API. */
type Told = {
  readonly body: Uint8Array;
  readonly count: number;
  readonly isFromApi: boolean;
  /** Why it may be old. */
  readonly warning: string | undefined;
  /** When the upstream gave it; epoch ms. */
  readonly checkedAt: number;
};
type LoadedList = Told & { readonly release: () => void };
type Known = Told & { readonly until: number };

export type ReferrersParts = {
  readonly manifests: Manifests;
  readonly links: Links;
  readonly stored: StoredLists;
  readonly room: BodyRoom;
  readonly clock: Clock;
  readonly episodes: Episodes;
};

/** Memory for lists that are believed without asking. Larger ones are asked for each time. */
const KNOWN_BYTES = 8 * 2 ** 20;
const FROM_API = "api";
const NONE = Buffer.from(`{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[]}`);

export class Referrers {
  readonly #parts: ReferrersParts;
  readonly #known = new LRUCache<string, Known>({
    maxSize: KNOWN_BYTES,
    sizeCalculation: ({ body }, key) => body.length + key.length + 200,
  });
  readonly #missing: Disappearances;
  readonly #flights: SingleFlight<LoadedList>;

  constructor(parts: ReferrersParts) {
    this.#parts = parts;
    this.#missing = new Disappearances(parts.clock);
    this.#flights = new SingleFlight(parts.clock);
  }

  async get(client: UpstreamClient, target: ReferrersTarget, asker: Asker): Promise<ReferrersAnswer> {
    const { clock } = this.#parts;
    const name = nameOf(target);
    const known = this.#known.get(name);
    if (known !== undefined && known.until > clock.elapsed()) return this.#answer(known, target, "hit");
    const stored = await this.#parts.stored.find(keyOf(target));
    const flight = this.#flights.join(name, () => this.#ask(client, target, asker, stored));
    try {
      if (stored === undefined) return await this.#answer(await flight.result, target, "miss");
      const deadline = flight.startedAt + client.upstream.policy.offlineDeadlineMs;
      const told = await untilDeadline(flight.result, deadline, clock);
      if (told !== undefined) return await this.#answer(told, target, "miss");
      return await this.#stale(stored, target, "no answer in time");
    } catch (error) {
      if (isGranaryError(error, "closed")) throw error;
      this.#trouble(target, error);
      if (stored !== undefined) return await this.#stale(stored, target, reasonOf(error));
      // The last answer in this process; such a list is not stored.
      if (known !== undefined)
        return await this.#answer({ ...known, warning: staleText(target, reasonOf(error)) }, target, "stale");
      throw unknown(target, error);
    }
  }

  /** What the upstream listed last, in this process or before; its upstream is not asked. */
  async known(where: RepositoryKey, digest: Digest): Promise<readonly Digest[]> {
    const { upstream, repository } = where;
    const key = { upstream, repository, kind: "referrers", name: digest } as const;
    const list = await (await this.#parts.stored.find(key))?.open();
    return list === undefined ? [] : await digestsIn(list.body).finally(list.release);
  }

  async #ask(
    client: UpstreamClient,
    target: ReferrersTarget,
    asker: Asker,
    stored: StoredList | undefined,
  ): Promise<LoadedList> {
    const told = await this.#tell(client, target, asker, stored);
    if (told.warning === undefined) await this.#remember(client, target, told, stored);
    return this.#parts.stored.briefly(told);
  }

  async #tell(
    client: UpstreamClient,
    target: ReferrersTarget,
    asker: Asker,
    stored: StoredList | undefined,
  ): Promise<LoadedList> {
    let failure: unknown;
    try {
      const list = await client.referrers(target.repository, target.digest, this.#parts.room);
      if (list !== undefined) {
        return { ...list, isFromApi: true, warning: undefined, checkedAt: this.#parts.clock.now() };
      }
    } catch (error) {
      if (isGranaryError(error, "closed") || stored !== undefined) throw error;
      failure = error;
    }
    // "No such API" does not mean that the signatures are gone which the API listed before.
    if (stored?.detail === FROM_API) throw gaveBefore(target);
    return await this.#byTagScheme(client, target, asker, failure);
  }

  /**
   * distribution-spec, "Referrers tag schema": an index under `<algorithm>-<encoded>`, the latter cut to 64 characters. Where the API
   * failed, a tag that is there counts, and one that is not there says nothing.
   */
  async #byTagScheme(
    client: UpstreamClient,
    target: ReferrersTarget,
    asker: Asker,
    failure: unknown,
  ): Promise<LoadedList> {
    const { upstream, repository, digest } = target;
    const tag = `${algorithmOf(digest)}-${encodedOf(digest).slice(0, 64)}`;
    try {
      const at = { kind: "manifest", upstream, repository, reference: { tag } } as const;
      const { manifest, warning, ageMs } = await this.#parts.manifests.get(client, at, {
        ...asker,
        accept: [],
      });
      const isOld = failure !== undefined && warning === undefined;
      const why = isOld ? staleText(target, reasonOf(failure)) : warning;
      return await this.#loaded(manifest.bytes, why, ageMs);
    } catch (error) {
      if (failure !== undefined) throw failure;
      if (isGranaryError(error, "not-found")) return await this.#loaded(NONE, undefined, 0);
      throw error;
    }
  }

  async #loaded(bytes: Uint8Array, warning: string | undefined, ageMs: number): Promise<LoadedList> {
    let count = 0;
    await eachItem(bytes, "manifests", () => {
      count += 1;
    });
    // A tag of that name that is no index lists nothing.
    const body = count === 0 ? NONE : bytes;
    const { clock, room } = this.#parts;
    const checkedAt = clock.now() - ageMs;
    return { body, count, isFromApi: false, warning, checkedAt, release: room.occupy(body) };
  }

  /** An empty list is stored only for what this repository is known to contain, because clients can invent digests without end. */
  async #remember(
    client: UpstreamClient,
    target: ReferrersTarget,
    told: LoadedList,
    stored: StoredList | undefined,
  ): Promise<void> {
    const { links, clock } = this.#parts;
    const name = nameOf(target);
    const lifetimeMs = client.upstream.policy.negativeLifetimeMs;
    if (told.count > 0) this.#missing.seen(name);
    else if (
      stored !== undefined &&
      !(await isEmpty(stored)) &&
      this.#missing.saidMissing(name, lifetimeMs) > 0
    ) {
      told.release();
      throw gaveBefore(target);
    }
    const { body, count, isFromApi, warning, checkedAt } = told;
    this.#known.set(name, {
      body,
      count,
      isFromApi,
      warning,
      checkedAt,
      until: clock.elapsed() + lifetimeMs,
    });
    if (count === 0 && stored === undefined && (await links.find(target, target.digest)) === undefined)
      return;
    await this.#parts.stored.record(keyOf(target), body, isFromApi ? FROM_API : undefined);
  }

  async #stale(stored: StoredList, target: ReferrersTarget, why: string): Promise<ReferrersAnswer> {
    const { checkedAt } = stored;
    const age = formatAge(checkedAt, this.#parts.clock.now());
    const { body, release } = await stored.open();
    const warning = `${staleText(target, why)}; this list is of ${age}`;
    return await this.#answer({ body, warning, checkedAt }, target, "stale").finally(release);
  }

  async #answer(
    { body, warning, checkedAt }: Pick<Told, "body" | "warning" | "checkedAt">,
    { artifactType }: ReferrersTarget,
    outcome: Outcome,
  ): Promise<ReferrersAnswer> {
    const { room } = this.#parts;
    const whole: ListBody = { body, release: room.occupy(body) };
    const facts = { warning, checkedAt, outcome: warning === undefined ? outcome : "stale" } as const;
    if (artifactType === undefined) return { ...whole, filtered: false, ...facts };
    const some = await filtered(body, artifactType).finally(whole.release);
    return { body: some, release: room.occupy(some), filtered: true, ...facts };
  }

  #trouble({ upstream, repository, digest }: ReferrersTarget, error: unknown): void {
    const code = isGranaryError(error) ? error.code : "unexpected";
    const facts = { repository, digest, code };
    this.#parts.episodes.trouble(`referrers of ${upstream}`, facts, "referrers could not be asked for");
  }
}

/** The items of that type, each as the upstream wrote it (distribution-spec, "Listing Referrers"). */
async function filtered(body: Uint8Array, artifactType: string): Promise<Buffer> {
  const items: Uint8Array[] = [];
  await eachItem(body, "manifests", (item) => {
    if (parseJsonObject(item)?.artifactType === artifactType) items.push(COMMA, item);
  });
  return Buffer.concat([NONE.subarray(0, -END), ...items.slice(1), NONE.subarray(-END)]);
}

const COMMA = Buffer.from(",");
/** Bytes that follow the items of an index of ours. */
const END = 2;

async function isEmpty(stored: StoredList): Promise<boolean> {
  const { body, release } = await stored.open();
  let count = 0;
  await eachItem(body, "manifests", () => {
    count += 1;
  }).finally(release);
  return count === 0;
}

function gaveBefore({ upstream }: ReferrersTarget): GranaryError {
  const reason = `${upstream} gave no referrers, though it did before`;
  return new GranaryError("upstream-unavailable", `${reason}.`, { reason });
}

function staleText({ upstream }: ReferrersTarget, why: string): string {
  return `stale: ${upstream} could not be asked (${why})`;
}

/** The error for a list that is not known now, which is neither "there are none" nor "no such API". */
function unknown({ upstream, repository, digest }: ReferrersTarget, error: unknown): unknown {
  if (!(error instanceof GranaryError) || ["rate-limited", "aborted"].includes(error.code)) return error;
  const { retryAfterMs } = error.facts;
  const reason = `it is not known now what refers to this digest: ${reasonOf(error)}`;
  return new GranaryError("upstream-unavailable", `${upstream}/${repository}@${digest}: ${reason}.`, {
    reason,
    cause: error,
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
}

function keyOf({ upstream, repository, digest }: ReferrersTarget): ListKey {
  return { upstream, repository, kind: "referrers", name: digest };
}

function nameOf({ upstream, repository, digest }: ReferrersTarget): string {
  return `${upstream}\n${repository}\n${digest}`;
}
