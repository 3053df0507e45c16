/**
 * Owns one Pull while it runs: what one client asked for of one image or model, how much of it was sent, and how it stands. It knows only what
 * requests show: which blobs a client has already, or whether two machines share an address, they do not. It writes nothing.
 */
import type { PullRow } from "../metadata/pull-rows.ts";
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { Agent } from "./agent.ts";
import type { FailureFacts } from "./cause.ts";
import { cut } from "./event.ts";
import { listingOf } from "./listing.ts";
import type { TrafficCell } from "./traffic.ts";

export type PullState = "running" | "done" | "failed";

/** Who asks, and of what. */
export type PullKey = {
  /** A plain address. */
  readonly client: string;
  readonly agent: Agent;
  readonly upstream: string;
  readonly repository: string;
};

type Part = {
  /** Undefined: nobody stated it. */
  readonly size: number | undefined;
  sent: number;
  wasAsked: boolean;
  /** The last request for it broke off. */
  isBroken: boolean;
  /** As what it was counted; a blob that is asked for in many parts counts once. */
  counted: "hits" | "misses" | undefined;
  /** How often all of it had been sent when it was asked for last. */
  rounds: number;
};

type Failure = { readonly reason: string; readonly cause: FailureFacts | undefined };

/** How one request of it ended. */
type PartEnd = {
  readonly isWhole: boolean;
  readonly failure: string | undefined;
  readonly cause?: FailureFacts | undefined;
};

const LEFT: Failure = {
  reason: "the client left before it had all that it asked for",
  cause: { code: "aborted" },
};

/** Blobs of one pull of which anything is kept. */
const MOST_PARTS = 1_000;
const MOST_FAILURES = 20;
/** A rate over less jumps. Snapshots are taken each second, a little more or less. */
const RATE_MS = 900;
const MOST_REASON = 300;

export class OpenPull {
  readonly key: PullKey;
  /** Undefined while it may still turn out to be no more than a look: a HEAD, or a name that does not exist. */
  id: number | undefined;
  tag: string | undefined;
  digest: Digest | undefined;
  platform: string | undefined;
  /** Epoch ms. */
  readonly begunAt: number;
  /** Of the last request, epoch ms. */
  lastAt: number;
  /** The same of the clock's `elapsed`. */
  readonly #begun: number;
  last: number;
  /** Requests that are being answered. */
  requests = 0;
  served = 0;
  hits = 0;
  misses = 0;
  isRepeated = false;
  /** Where its traffic is counted; from its first answer on. */
  cells: readonly TrafficCell[] | undefined;
  /** It is not written as it is now. */
  isChanged = true;
  #looked: { readonly at: number; readonly served: number; readonly rate: number };
  /** Manifests that were sent. */
  readonly #found = new Set<Digest>();
  readonly #parts = new Map<string, Part>();
  /** Manifests that its indexes list, with their platforms. */
  readonly #children = new Map<Digest, string | undefined>();
  /** Why what was asked for could not be had, by what that was. */
  readonly #failures = new Map<string, Failure>();

  constructor(key: PullKey, now: { readonly at: number; readonly elapsed: number }) {
    this.key = key;
    this.begunAt = now.at;
    this.lastAt = now.at;
    this.#begun = now.elapsed;
    this.#looked = { at: now.elapsed, served: 0, rate: 0 };
    this.last = now.elapsed;
  }

  /** True when a manifest with this digest was announced to it. */
  expects(digest: Digest): boolean {
    return digest === this.digest || this.#children.has(digest);
  }

  lists(digest: Digest): boolean {
    return this.#parts.has(digest);
  }

  /** A manifest was sent. */
  found(manifest: Manifest): void {
    const { digest } = manifest;
    if (this.#found.has(digest)) return;
    this.#found.add(digest);
    this.digest ??= digest;
    this.platform ??= this.#children.get(digest);
    const listing = listingOf(manifest);
    for (const [child, platform] of listing.manifests)
      if (this.#children.size < MOST_PARTS) this.#children.set(child, platform);
    for (const [blob, size] of listing.blobs) this.#part(blob, size);
  }

  /** A request for the bytes of a blob begins. */
  asked(digest: Digest): void {
    const part = this.#part(digest, undefined);
    if (part === undefined) return;
    // Ollama's probe is answered with the whole of a small blob, which it then asks for again (docs/protocol.md#ollama-probe).
    const times = this.key.agent.kind === "ollama" ? 2 : 1;
    const rounds =
      part.size === undefined || part.size === 0 ? 0 : Math.floor(part.sent / (times * part.size));
    this.isRepeated ||= rounds > 0;
    if (rounds > part.rounds) part.counted = undefined;
    part.rounds = rounds;
    part.wasAsked = true;
  }

  /** True when an answer counts as a hit or a miss of its own, and not as a further part of a blob that was counted. */
  counts(digest: Digest | undefined, as: "hits" | "misses"): boolean {
    const part = digest && this.#parts.get(digest);
    if (part === undefined) return true;
    const isNew = part.counted === undefined || (part.counted === "hits" && as === "misses");
    if (isNew) part.counted = as;
    return isNew;
  }

  sent(digest: Digest | undefined, bytes: number): void {
    this.served += bytes;
    this.isChanged = true;
    const part = digest && this.#parts.get(digest);
    if (part !== undefined) part.sent += bytes;
  }

  /** A request for `what` (a digest or a tag) is over. `failure` says why it could not be answered. */
  answered(what: string, { isWhole, failure, cause }: PartEnd): void {
    const part = this.#parts.get(what);
    if (part !== undefined) part.isBroken = !isWhole;
    if (failure === undefined) {
      if (this.#failures.size > 0) this.#failures.delete(what);
    } else if (this.#failures.size < MOST_FAILURES)
      this.#failures.set(what, { reason: cut(failure, MOST_REASON), cause });
    this.isChanged = true;
  }

  /** Everything that its manifests list was sent, and nothing is being answered. */
  get isComplete(): boolean {
    if (this.requests > 0 || this.#parts.size === 0 || this.#failures.size > 0) return false;
    for (const part of this.#parts.values()) if (!part.wasAsked || !isWhole(part)) return false;
    return true;
  }

  get failure(): Failure | undefined {
    const failed = [...this.#failures.values()].at(-1);
    if (failed !== undefined) return failed;
    const isLeft = [...this.#parts.values()].some((part) => part.isBroken && !isWhole(part));
    return isLeft ? LEFT : undefined;
  }

  get blobs(): number {
    return [...this.#parts.values()].filter(({ wasAsked }) => wasAsked).length;
  }

  /** Milliseconds from its first request to its last. */
  get tookMs(): number {
    return Math.max(0, this.last - this.#begun);
  }

  /**
   * Bytes in a second, since somebody looked last or since it began, over a second at least; `now` is of the clock's `elapsed`. Sending costs
   * nothing for it.
   */
  rateAt(now: number): number {
    const { at, served, rate } = this.#looked;
    const ms = now - at;
    if (ms < RATE_MS) return rate;
    this.#looked = { at: now, served: this.served, rate: Math.round(((this.served - served) * 1000) / ms) };
    return this.#looked.rate;
  }

  row(id: number, state: PullState, keepsClient: boolean): PullRow {
    const { key, tag = null, digest = null, platform = null, begunAt, lastAt, tookMs } = this;
    const { served, hits, misses, blobs } = this;
    return {
      ...{ id, tag, digest, platform, begunAt, tookMs, served, hits, misses, blobs, state },
      upstream: key.upstream,
      repository: key.repository,
      client: keepsClient ? key.client : null,
      agent: key.agent.kind,
      endedAt: state === "running" ? null : lastAt,
      size: this.#size,
      isRepeated: Number(this.isRepeated),
      reason: state === "failed" ? (this.failure?.reason ?? null) : null,
    };
  }

  /** Of all that its manifests list; null where that is not known. */
  get #size(): number | null {
    const sizes = [...this.#parts.values()].map(({ size }) => size ?? Number.NaN);
    const sum = sizes.reduce((all, size) => all + size, 0);
    return sizes.length > 0 && Number.isFinite(sum) ? sum : null;
  }

  #part(digest: Digest, size: number | undefined): Part | undefined {
    const known = this.#parts.get(digest);
    if (known !== undefined || this.#parts.size >= MOST_PARTS) return known;
    const part: Part = { size, sent: 0, wasAsked: false, isBroken: false, counted: undefined, rounds: 0 };
    this.#parts.set(digest, part);
    return part;
  }
}

/** Where no size is known, what was sent is all there was. */
function isWhole({ size, sent, isBroken }: Part): boolean {
  return size === undefined ? sent > 0 && !isBroken : sent >= size;
}
