/**
 * Owns manifests: which digest a tag means now, how sure we are, and the exact bytes. A stored tag is asked for again
 * after its lifetime with one HEAD; when the upstream cannot be asked, the stored one is served and says so. It never
 * stores a document whose digest or shape is wrong, and never lets one client's wait or leaving touch another's.
 */
import { LRUCache } from "lru-cache";
import { formatDuration } from "../bytes/units.ts";
import { type GranaryError, isGranaryError, messageOf } from "../errors.ts";
import type { Metadata, RepositoryKey, TagKey, TagRecord } from "../metadata/metadata.ts";
import type { Clock } from "../observe/clock.ts";
import type { Log } from "../observe/log.ts";
import type { Digest } from "../oci/digest.ts";
import { manifestTypeOf } from "../oci/manifest-view.ts";
import { MANIFEST_UNION } from "../oci/media-types.ts";
import type { Manifest } from "../source.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import { acceptClassOf, takes } from "./accept-class.ts";
import type { Access } from "./access.ts";
import { checkManifest } from "./check-manifest.ts";
import type { ManifestAnswer, ManifestAsk, ManifestHeadAnswer, Outcome } from "./mirror.ts";
import { NegativeAnswers } from "./negative-answers.ts";
import { notFound } from "./not-found.ts";
import { SingleFlight } from "./single-flight.ts";
import type { ManifestTarget } from "./target.ts";
import { untilDeadline } from "./until-deadline.ts";

/** Memory for hot manifests; behind it is SQLite. */
const CACHED_BYTES = 32 * 1024 * 1024;
const CACHED_TAGS = 10_000;
/** Below this share of the pull budget, tags live longer (registry-clients.md H69). */
const LOW_BUDGET = 0.1;
const STRETCH = 6;
/** How long a failed check is not repeated. */
const RECHECK_MS = 10_000;

export type ManifestParts = {
  readonly metadata: Metadata;
  readonly access: Access;
  readonly clock: Clock;
  readonly log: Log;
};

/** A tag, resolved: the record, how it was come by, and why it may be old. */
type Resolved = {
  readonly record: TagRecord;
  readonly outcome: Outcome;
  readonly warning: string | undefined;
};

type Head = { readonly digest: Digest; readonly mediaType: string; readonly size: number };

/** One ask with everything it needs below. */
type Asking = {
  readonly client: UpstreamClient;
  readonly ask: ManifestAsk;
  readonly accept: readonly string[];
};

export class Manifests {
  readonly #metadata: Metadata;
  readonly #access: Access;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #bytes = new LRUCache<Digest, Manifest>({
    maxSize: CACHED_BYTES,
    sizeCalculation: (manifest) => manifest.bytes.length + 1,
  });
  readonly #tags = new LRUCache<string, TagRecord>({ max: CACHED_TAGS });
  readonly #failedChecks = new LRUCache<string, { readonly until: number; readonly warning: string }>({
    max: CACHED_TAGS,
  });
  readonly #absent: NegativeAnswers;
  readonly #checks: SingleFlight<Resolved>;
  readonly #fetches: SingleFlight<Manifest>;
  readonly #heads: SingleFlight<Head>;

  constructor({ metadata, access, clock, log }: ManifestParts) {
    this.#metadata = metadata;
    this.#access = access;
    this.#clock = clock;
    this.#log = log;
    this.#absent = new NegativeAnswers(clock);
    this.#checks = new SingleFlight(clock);
    this.#fetches = new SingleFlight(clock);
    this.#heads = new SingleFlight(clock);
  }

  /** The manifest with its bytes. Codes: see Mirror. */
  async get(client: UpstreamClient, target: ManifestTarget, ask: ManifestAsk): Promise<ManifestAnswer> {
    if ("digest" in target.reference)
      return await this.#getByDigest(client, target, target.reference.digest, ask);
    const { record, outcome, warning } = await this.#resolve(client, target, target.reference.tag, ask, true);
    const manifest =
      (await this.#stored(record.digest)) ??
      (await this.#fetch({ client, ask, accept: MANIFEST_UNION }, record, record.digest));
    return { manifest, outcome, warning, ageMs: this.#clock.now() - record.checkedAt };
  }

  /** The same without bytes: what one HEAD settles costs no GET. */
  async head(client: UpstreamClient, target: ManifestTarget, ask: ManifestAsk): Promise<ManifestHeadAnswer> {
    if ("digest" in target.reference)
      return await this.#headByDigest(client, target, target.reference.digest, ask);
    const { record, outcome, warning } = await this.#resolve(
      client,
      target,
      target.reference.tag,
      ask,
      false,
    );
    const { digest, mediaType, size } = record;
    return { digest, mediaType, size, outcome, warning, ageMs: this.#clock.now() - record.checkedAt };
  }

  // --- by digest --------------------------------------------------------------------------------------------------

  async #getByDigest(
    client: UpstreamClient,
    where: ManifestTarget,
    digest: Digest,
    ask: ManifestAsk,
  ): Promise<ManifestAnswer> {
    const asking = { client, ask, accept: MANIFEST_UNION };
    const stored = await this.#storedFor(asking, where, digest);
    const manifest = stored ?? (await this.#fetch(asking, where, digest));
    return { manifest, outcome: stored === undefined ? "miss" : "hit", warning: undefined, ageMs: 0 };
  }

  async #headByDigest(
    client: UpstreamClient,
    where: ManifestTarget,
    digest: Digest,
    ask: ManifestAsk,
  ): Promise<ManifestHeadAnswer> {
    const asking = { client, ask, accept: MANIFEST_UNION };
    const stored = await this.#storedFor(asking, where, digest);
    const head = stored === undefined ? await this.#headUpstream(asking, where, digest) : headOf(stored);
    return { ...head, outcome: stored === undefined ? "miss" : "hit", warning: undefined, ageMs: 0 };
  }

  /** What is stored, if this repository is known to contain it or says so now. */
  async #storedFor(asking: Asking, where: RepositoryKey, digest: Digest): Promise<Manifest | undefined> {
    const stored = await this.#stored(digest);
    if (stored === undefined || (await this.#access.link(where, digest)) !== undefined) return stored;
    await this.#headUpstream(asking, where, digest);
    return stored;
  }

  #headUpstream(asking: Asking, where: RepositoryKey, digest: Digest) {
    const { client, ask, accept } = asking;
    return this.#heads.run(keyOf(where, digest), async () => {
      const { repository } = where;
      this.#absent.check(keyOf(where, digest));
      const head = await client.headManifest({
        repository,
        reference: digest,
        accept,
        userAgent: ask.userAgent,
      });
      if (head === undefined) throw this.#isAbsent(client, where, digest);
      const mediaType = manifestTypeOf(head.mediaType);
      if (mediaType === undefined || head.size === undefined)
        return headOf(await this.#fetch(asking, where, digest));
      await this.#access.recordLink(where, { digest, size: head.size });
      return { digest, mediaType, size: head.size };
    });
  }

  // --- by tag -----------------------------------------------------------------------------------------------------

  async #resolve(
    client: UpstreamClient,
    target: ManifestTarget,
    tag: string,
    ask: ManifestAsk,
    wantsBytes: boolean,
  ): Promise<Resolved> {
    const where = { upstream: target.upstream, repository: target.repository, tag };
    const native = await this.#resolveClass(
      { client, ask, accept: MANIFEST_UNION },
      { ...where, acceptClass: "" },
      wantsBytes,
    );
    if (takes(ask.accept, native.record.mediaType)) return native;
    // The client cannot take what the union brought: the upstream decides what it gets (registry-clients.md A.5).
    const key = { ...where, acceptClass: acceptClassOf(ask.accept) };
    return await this.#resolveClass({ client, ask, accept: ask.accept }, key, wantsBytes);
  }

  async #resolveClass(asking: Asking, key: TagKey, wantsBytes: boolean): Promise<Resolved> {
    const name = tagName(key);
    const record = this.#tags.get(name) ?? (await this.#metadata.tag(key));
    if (record === undefined) return await this.#firstCheck(asking, key, wantsBytes);
    this.#tags.set(name, record);
    if (this.#isFresh(asking.client, record)) return { record, outcome: "hit", warning: undefined };
    return await this.#check(asking, record, name);
  }

  #isFresh({ upstream, status }: UpstreamClient, record: TagRecord): boolean {
    const budget = status().rateLimit;
    const isLow = budget !== undefined && budget.remaining < budget.limit * LOW_BUDGET;
    const lifetimeMs = upstream.policy.tagLifetimeMs * (isLow ? STRETCH : 1);
    return this.#clock.now() < record.checkedAt + lifetimeMs;
  }

  /** Nothing is stored: a GET asks for the bytes at once, a HEAD only for the headers. */
  #firstCheck(asking: Asking, key: TagKey, wantsBytes: boolean): Promise<Resolved> {
    const name = tagName(key);
    this.#absent.check(name);
    return this.#checks.run(`${wantsBytes ? "GET" : "HEAD"} ${name} ${userAgentClass(asking)}`, async () => {
      const head = wantsBytes ? await this.#getTag(asking, key) : await this.#headTag(asking, key);
      return { record: await this.#recordTag(key, head), outcome: "miss", warning: undefined };
    });
  }

  /** One HEAD for everybody who asks meanwhile; who has waited for the deadline gets what is stored. */
  async #check(asking: Asking, record: TagRecord, name: string): Promise<Resolved> {
    const failed = this.#failedChecks.get(name);
    if (failed !== undefined && failed.until > this.#clock.now()) return stale(record, failed.warning);
    const flight = this.#checks.join(`CHECK ${name} ${userAgentClass(asking)}`, () =>
      this.#recheck(asking, record, name),
    );
    const { offlineDeadlineMs } = asking.client.upstream.policy;
    const checked = await untilDeadline(flight.result, flight.startedAt + offlineDeadlineMs, this.#clock);
    return (
      checked ??
      stale(record, staleText(record, `no answer within ${formatDuration(offlineDeadlineMs)}`, this.#clock))
    );
  }

  /** A tag that moved is recorded only with its new manifest in hand: Hub may answer the HEAD and refuse the GET. */
  async #recheck(asking: Asking, record: TagRecord, name: string): Promise<Resolved> {
    try {
      const head = await this.#headTag(asking, record);
      const moved = head.digest !== record.digest;
      if (moved && (await this.#stored(head.digest)) === undefined)
        await this.#fetch(asking, record, head.digest);
      this.#failedChecks.delete(name);
      return {
        record: await this.#recordTag(record, head),
        outcome: moved ? "miss" : "revalidated",
        warning: undefined,
      };
    } catch (error) {
      if (isGranaryError(error, "not-found", "client-outdated", "closed")) throw error;
      const warning = staleText(record, messageOf(error), this.#clock);
      this.#log.warn(
        { tag: `${record.upstream}/${record.repository}:${record.tag}`, reason: messageOf(error) },
        "serving a stored tag",
      );
      this.#failedChecks.set(name, { until: this.#clock.now() + RECHECK_MS, warning });
      return stale(record, warning);
    }
  }

  /** The tag by HEAD; by GET where the HEAD does not tell digest, size and a manifest's type. */
  async #headTag(asking: Asking, key: TagKey): Promise<Head> {
    const { client, ask, accept } = asking;
    const head = await client.headManifest({
      repository: key.repository,
      reference: key.tag,
      accept,
      userAgent: ask.userAgent,
    });
    if (head === undefined) return await this.#tagIsGone(client, key);
    const { digest, size } = head;
    const mediaType = manifestTypeOf(head.mediaType);
    if (digest === undefined || size === undefined || mediaType === undefined)
      return await this.#getTag(asking, key);
    await this.#access.recordLink(key, { digest, size });
    return { digest, mediaType, size };
  }

  async #getTag(asking: Asking, key: TagKey): Promise<Head> {
    const { client, ask, accept } = asking;
    const body = await client.getManifest({
      repository: key.repository,
      reference: key.tag,
      accept,
      userAgent: ask.userAgent,
    });
    if (body === undefined) return await this.#tagIsGone(client, key);
    return headOf(await this.#keep(key, checkManifest(body, `${key.upstream}/${key.repository}:${key.tag}`)));
  }

  async #recordTag(key: TagKey, head: Head): Promise<TagRecord> {
    const { upstream, repository, tag, acceptClass } = key;
    const record = { upstream, repository, tag, acceptClass, ...head, checkedAt: this.#clock.now() };
    await this.#metadata.recordTag(record);
    this.#tags.set(tagName(key), record);
    return record;
  }

  async #tagIsGone(client: UpstreamClient, key: TagKey): Promise<never> {
    this.#tags.delete(tagName(key));
    await this.#metadata.forgetTag(key);
    throw this.#absent.remember(
      tagName(key),
      client.upstream.policy.negativeLifetimeMs,
      notFound(key, key.tag),
    );
  }

  #isAbsent(client: UpstreamClient, where: RepositoryKey, digest: Digest): GranaryError {
    const lifetimeMs = client.upstream.policy.negativeLifetimeMs;
    return this.#absent.remember(keyOf(where, digest), lifetimeMs, notFound(where, digest));
  }

  // --- bytes ------------------------------------------------------------------------------------------------------

  async #stored(digest: Digest): Promise<Manifest | undefined> {
    const cached = this.#bytes.get(digest);
    if (cached !== undefined) return cached;
    const manifest = await this.#metadata.manifest(digest);
    if (manifest !== undefined) this.#bytes.set(digest, manifest);
    return manifest;
  }

  /** By digest from the upstream, checked, stored; one fetch for everybody who asks meanwhile. */
  #fetch({ client, ask, accept }: Asking, where: RepositoryKey, digest: Digest): Promise<Manifest> {
    return this.#fetches.run(keyOf(where, digest), async () => {
      this.#absent.check(keyOf(where, digest));
      const { repository } = where;
      const body = await client.getManifest({
        repository,
        reference: digest,
        accept,
        userAgent: ask.userAgent,
      });
      if (body === undefined) throw this.#isAbsent(client, where, digest);
      return await this.#keep(
        where,
        checkManifest(body, `${where.upstream}/${repository}@${digest}`, digest),
      );
    });
  }

  async #keep(where: RepositoryKey, checked: ReturnType<typeof checkManifest>): Promise<Manifest> {
    const { manifest, links } = checked;
    await this.#metadata.recordManifest(
      { upstream: where.upstream, repository: where.repository },
      manifest,
      links,
    );
    this.#bytes.set(manifest.digest, manifest);
    return manifest;
  }
}

function headOf({ digest, mediaType, bytes }: Manifest): Head {
  return { digest, mediaType, size: bytes.length };
}

function stale(record: TagRecord, warning: string): Resolved {
  return { record, outcome: "stale", warning };
}

function staleText(record: TagRecord, reason: string, clock: Clock): string {
  const age = formatDuration(clock.now() - record.checkedAt);
  return `stale: ${record.upstream} could not be asked (${reason}); this was checked ${age} ago`;
}

function tagName({ upstream, repository, tag, acceptClass }: TagKey): string {
  return `${upstream}\n${repository}\n${tag}\n${acceptClass}`;
}

function keyOf({ upstream, repository }: RepositoryKey, digest: Digest): string {
  return `${upstream}\n${repository}\n${digest}`;
}

/** Where the upstream answers by User-Agent, askers with different ones do not share an answer. */
function userAgentClass({ client, ask }: Asking): string {
  return client.upstream.forwardUserAgent ? (ask.userAgent ?? "") : "";
}
