/**
 * Owns tags: which digest a tag means now, and how sure we are. A stored tag is asked for again after its lifetime with one
 * HEAD; when the upstream cannot be asked, the stored one holds and says so. One client's wait or leaving never touches another's.
 */
import { LRUCache } from "lru-cache";
import { formatDuration } from "../bytes/units.ts";
import { isGranaryError, messageOf, reasonOf } from "../errors.ts";
import type { TagKey, TagRecord } from "../metadata/metadata.ts";
import type { Log } from "../observe/log.ts";
import { manifestTypeOf } from "../oci/manifest-view.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import { acceptClassOf, takes } from "./accept-class.ts";
import { type Head, headOf, type ManifestBytes, type ManifestParts } from "./manifest-bytes.ts";
import type { ManifestAsk, Outcome } from "./mirror.ts";
import { NegativeAnswers } from "./negative-answers.ts";
import { notFound } from "./not-found.ts";
import { SingleFlight } from "./single-flight.ts";
import { untilDeadline } from "./until-deadline.ts";

/** A tag, resolved: the record, how it was come by, and why it may be old. */
export type ResolvedTag = {
  readonly record: TagRecord;
  readonly outcome: Outcome;
  readonly warning: string | undefined;
};

/** One tag asked for, with everything it needs below. */
type Asking = {
  readonly client: UpstreamClient;
  readonly key: TagKey;
  readonly accept: readonly string[];
  readonly userAgent: string | undefined;
};

const REMEMBERED = 10_000;
/** Below this share of the pull budget, tags live longer (registry-clients.md H69). */
const LOW_BUDGET = 0.1;
const STRETCH = 6;
/** How long a failed check is not repeated. */
const RECHECK_MS = 10_000;
/** Where signatures and their like are attached to a digest: such a tag grows at any time (registry-clients.md F.9). */
const ATTACHMENT = /^sha(?:256|512)-[0-9a-f]{64,}(?:\.[a-z]+)?$/;

export class Tags {
  readonly #parts: ManifestParts;
  readonly #bytes: ManifestBytes;
  readonly #log: Log;
  readonly #records = new LRUCache<string, TagRecord>({ max: REMEMBERED });
  readonly #failed = new LRUCache<string, { readonly until: number; readonly warning: string }>({
    max: REMEMBERED,
  });
  readonly #absent: NegativeAnswers;
  readonly #checks: SingleFlight<ResolvedTag>;

  constructor(parts: ManifestParts, bytes: ManifestBytes, log: Log) {
    this.#parts = parts;
    this.#bytes = bytes;
    this.#log = log;
    this.#absent = new NegativeAnswers(parts.clock);
    this.#checks = new SingleFlight(parts.clock);
  }

  /** What the tag means to who asks; `wantsBytes` lets an unknown one be asked for with its manifest. Codes: see Mirror. */
  async resolve(
    client: UpstreamClient,
    where: Omit<TagKey, "acceptClass">,
    { accept, userAgent }: ManifestAsk,
    wantsBytes: boolean,
  ): Promise<ResolvedTag> {
    const { upstream, repository, tag } = where;
    const key = { upstream, repository, tag, acceptClass: "" };
    const native = await this.#resolve({ client, key, accept: MANIFEST_UNION, userAgent }, wantsBytes);
    if (takes(accept, native.record.mediaType)) return native;
    // The client cannot take what the union brought: the upstream decides what it gets (registry-clients.md A.5).
    const own = { ...key, acceptClass: acceptClassOf(accept) };
    return await this.#resolve({ client, key: own, accept, userAgent }, wantsBytes);
  }

  async #resolve(asking: Asking, wantsBytes: boolean): Promise<ResolvedTag> {
    const name = nameOf(asking.key);
    const record = this.#records.get(name) ?? (await this.#parts.metadata.tag(asking.key));
    if (record === undefined) return await this.#firstCheck(asking, wantsBytes);
    this.#records.set(name, record);
    if (this.#isFresh(asking.client, record)) return { record, outcome: "hit", warning: undefined };
    return await this.#check(asking, record);
  }

  #isFresh(client: UpstreamClient, record: TagRecord): boolean {
    return this.#parts.clock.now() < record.checkedAt + lifetimeOf(record.tag, client);
  }

  /** Nothing is stored: a GET asks for the bytes at once, a HEAD only for the headers. */
  #firstCheck(asking: Asking, wantsBytes: boolean): Promise<ResolvedTag> {
    this.#absent.check(nameOf(asking.key));
    return this.#checks.run(`${wantsBytes ? "GET" : "HEAD"} ${flightOf(asking)}`, async () => {
      const head = wantsBytes ? await this.#get(asking) : await this.#head(asking);
      return { record: await this.#record(asking.key, head), outcome: "miss", warning: undefined };
    });
  }

  /** One HEAD for everybody who asks meanwhile; who has waited for the deadline gets what is stored. */
  async #check(asking: Asking, record: TagRecord): Promise<ResolvedTag> {
    const { clock } = this.#parts;
    const failed = this.#failed.get(nameOf(record));
    if (failed !== undefined && failed.until > clock.elapsed()) return stale(record, failed.warning);
    const flight = this.#checks.join(`CHECK ${flightOf(asking)}`, () => this.#recheck(asking, record));
    const { offlineDeadlineMs } = asking.client.upstream.policy;
    const checked = await untilDeadline(flight.result, flight.startedAt + offlineDeadlineMs, clock);
    return (
      checked ??
      stale(record, this.#staleText(record, `no answer within ${formatDuration(offlineDeadlineMs)}`))
    );
  }

  async #recheck(asking: Asking, record: TagRecord): Promise<ResolvedTag> {
    try {
      const head = await this.#head(asking, record);
      const moved = head.digest !== record.digest;
      if (moved) await this.#replace(asking, record, head);
      this.#failed.delete(nameOf(record));
      const outcome = moved ? "miss" : "revalidated";
      return { record: await this.#record(record, head), outcome, warning: undefined };
    } catch (error) {
      if (isGranaryError(error, "not-found", "client-outdated", "closed")) throw error;
      return this.#checkFailed(record, error);
    }
  }

  /** A manifest in hand is given up only for another in hand: Hub may answer the HEAD and refuse the GET. */
  async #replace({ client, userAgent }: Asking, record: TagRecord, { digest }: Head): Promise<void> {
    if ((await this.#bytes.stored(record.digest)) === undefined) return;
    if ((await this.#bytes.stored(digest)) !== undefined) return;
    await this.#bytes.fetch(client, record, digest, userAgent);
  }

  #checkFailed(record: TagRecord, error: unknown): ResolvedTag {
    const warning = this.#staleText(record, reasonOf(error));
    const tag = `${record.upstream}/${record.repository}:${record.tag}`;
    this.#log.warn({ tag, reason: messageOf(error) }, "serving a stored tag");
    this.#failed.set(nameOf(record), { until: this.#parts.clock.elapsed() + RECHECK_MS, warning });
    return stale(record, warning);
  }

  /** The tag by HEAD; by GET where the HEAD does not tell digest, size and a manifest's type. */
  async #head(asking: Asking, known?: TagRecord): Promise<Head> {
    const { client, key } = asking;
    const head = await client.headManifest(askOf(asking));
    if (head === undefined) return await this.#isGone(client, key);
    const { digest, size } = head;
    // The digest settles it, whatever else is told: the Ollama registry calls every manifest text/plain.
    if (known !== undefined && digest === known.digest) return known;
    const mediaType = manifestTypeOf(head.mediaType);
    if (digest === undefined || size === undefined || mediaType === undefined) return await this.#get(asking);
    await this.#parts.access.recordLink(key, { digest, size });
    return { digest, mediaType, size };
  }

  async #get(asking: Asking): Promise<Head> {
    const { client, key } = asking;
    const body = await client.getManifest(askOf(asking));
    if (body === undefined) return await this.#isGone(client, key);
    return headOf(await this.#bytes.keep(key, body, key.tag));
  }

  async #record(key: TagKey, { digest, mediaType, size }: Head): Promise<TagRecord> {
    const { upstream, repository, tag, acceptClass } = key;
    const checkedAt = this.#parts.clock.now();
    const record = { upstream, repository, tag, acceptClass, digest, mediaType, size, checkedAt };
    await this.#parts.metadata.recordTag(record);
    this.#records.set(nameOf(key), record);
    return record;
  }

  async #isGone(client: UpstreamClient, key: TagKey): Promise<never> {
    this.#records.delete(nameOf(key));
    await this.#parts.metadata.forgetTag(key);
    const { negativeLifetimeMs } = client.upstream.policy;
    throw this.#absent.remember(nameOf(key), negativeLifetimeMs, notFound(key, key.tag));
  }

  #staleText(record: TagRecord, reason: string): string {
    const age = formatDuration(this.#parts.clock.now() - record.checkedAt);
    return `stale: ${record.upstream} could not be asked (${reason}); this was checked ${age} ago`;
  }
}

/** How long a tag is believed, in ms. */
function lifetimeOf(tag: string, client: UpstreamClient): number {
  const { tagLifetimeMs, negativeLifetimeMs } = client.upstream.policy;
  // That there is no further signature is a "not there", and believed no longer than one.
  if (ATTACHMENT.test(tag)) return Math.min(tagLifetimeMs, negativeLifetimeMs);
  const budget = client.status().rateLimit;
  const isLow = budget !== undefined && budget.remaining < budget.limit * LOW_BUDGET;
  return tagLifetimeMs * (isLow ? STRETCH : 1);
}

function stale(record: TagRecord, warning: string): ResolvedTag {
  return { record, outcome: "stale", warning };
}

function askOf({ key, accept, userAgent }: Asking) {
  return { repository: key.repository, reference: key.tag, accept, userAgent };
}

function nameOf({ upstream, repository, tag, acceptClass }: TagKey): string {
  return `${upstream}\n${repository}\n${tag}\n${acceptClass}`;
}

/** Where the upstream answers by User-Agent, askers with different ones do not share an answer. */
function flightOf({ client, key, userAgent }: Asking): string {
  return `${nameOf(key)} ${client.upstream.forwardUserAgent ? (userAgent ?? "") : ""}`;
}
