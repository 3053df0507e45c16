/**
 * Owns tags: which digest a tag means now, and how sure we are. A stored tag is asked for again after its lifetime with one
 * HEAD; when the upstream cannot be asked, the stored one holds and says so. One client's wait or leaving never touches another's.
 * Over 300 lines, because each way a tag can be answered leans on the ones before it.
 */
import { LRUCache } from "lru-cache";
import { formatDuration } from "../../bytes/units.ts";
import { GranaryError, isGranaryError, messageOf, reasonOf } from "../../errors.ts";
import type { TagKey, TagRecord } from "../../metadata/metadata.ts";
import { formatAge, isYoungerThan } from "../../observe/age.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { ToldError } from "../../oci/error-body.ts";
import { toldHead } from "../../oci/manifest.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import { hearAbsence } from "../../upstream/registry/absence.ts";
import { unlessHidden } from "../../upstream/registry/unless-hidden.ts";
import type { OnAbsent, UpstreamClient } from "../../upstream/upstream-client.ts";
import { untilDeadline } from "../../waiting/deadline.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import { Disappearances } from "../absence/disappearances.ts";
import { NegativeAnswers } from "../absence/negative-answers.ts";
import { notFound } from "../absence/not-found.ts";
import { acceptClassOf, takes } from "../manifests/accept-class.ts";
import { askBeyond, beyondUnion, isUntaken } from "../manifests/beyond-union.ts";
import {
  type Head,
  headOf,
  type ManifestBytes,
  type ManifestParts,
  sentAgent,
} from "../manifests/manifest-bytes.ts";
import type { ManifestAsk, Outcome } from "../mirror.ts";
import { lifetimeOf } from "./tag-lifetime.ts";

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
  readonly onAbsent?: OnAbsent;
};

/** A record as this process knows it: when it was checked here, of the clock's `elapsed`; undefined when that was an earlier process. */
type Known = { readonly record: TagRecord; readonly checkedHere: number | undefined };

const REMEMBERED = 10_000;
/** How long a failed check is not repeated. */
const RECHECK_MS = 10_000;
export class Tags {
  readonly #parts: ManifestParts;
  readonly #bytes: ManifestBytes;
  readonly #episodes: Episodes;
  readonly #records = new LRUCache<string, Known>({ max: REMEMBERED });
  readonly #failed = new LRUCache<string, { readonly until: number; readonly warning: string }>({
    max: REMEMBERED,
  });
  readonly #missing: Disappearances;
  readonly #absent: NegativeAnswers;
  readonly #checks: SingleFlight<ResolvedTag>;

  constructor(parts: ManifestParts, bytes: ManifestBytes, episodes: Episodes) {
    this.#parts = parts;
    this.#bytes = bytes;
    this.#episodes = episodes;
    this.#absent = new NegativeAnswers(parts.clock);
    this.#missing = new Disappearances(parts.clock);
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
    const ask = (asked: readonly string[]) => {
      const acceptClass = asked === MANIFEST_UNION ? "" : acceptClassOf(asked);
      return this.#resolve({ client, key: { ...key, acceptClass }, accept: asked, userAgent }, wantsBytes);
    };
    const remembered = await this.#rememberedBeyond(key, accept);
    if (remembered !== undefined) {
      try {
        return await ask(remembered);
      } catch (error) {
        if (!isUntaken(error)) throw error;
      }
    }
    const found = await askBeyond(accept, ask);
    // The client cannot take what the union brought: the upstream decides what it gets (docs/protocol.md#manifest-accept).
    return found.record.acceptClass !== "" || takes(accept, found.record.mediaType)
      ? found
      : await ask(accept);
  }

  /** What to ask with at once, because the union found nothing here before and this did: not every pull shall cost two questions. */
  async #rememberedBeyond(key: TagKey, accept: readonly string[]): Promise<readonly string[] | undefined> {
    const own = beyondUnion(accept);
    if (own === undefined || (await this.#known(key)) !== undefined) return undefined;
    const known = await this.#known({ ...key, acceptClass: acceptClassOf(own) });
    return known === undefined ? undefined : own;
  }

  /**
   * The tag with its manifest, by a GET of the tag itself: for when the digest that it was last said to mean is not to be had. Throws as
   * `resolve`.
   */
  async refetch(
    client: UpstreamClient,
    key: TagKey,
    { accept, userAgent }: ManifestAsk,
  ): Promise<ResolvedTag> {
    const asked = key.acceptClass === "" ? MANIFEST_UNION : (beyondUnion(accept) ?? accept);
    return await this.#fetchByTag({ client, key, accept: asked, userAgent }, true);
  }

  async #resolve(asking: Asking, wantsBytes: boolean): Promise<ResolvedTag> {
    const known = await this.#known(asking.key);
    if (known === undefined) return await this.#firstCheck(asking, wantsBytes);
    const { record } = known;
    if (this.#isFresh(asking.client, known)) return { record, outcome: "hit", warning: undefined };
    return await this.#check(asking, record);
  }

  async #known(key: TagKey): Promise<Known | undefined> {
    return this.#records.get(nameOf(key)) ?? (await this.#stored(key));
  }

  async #stored(key: TagKey): Promise<Known | undefined> {
    const record = await this.#parts.metadata.tag(key);
    // No manifest is empty: an older Granary believed a HEAD that said so.
    if (record === undefined || record.size === 0) return undefined;
    const known = { record, checkedHere: undefined };
    this.#records.set(nameOf(key), known);
    return known;
  }

  /** By the date, which lasts over a restart and may be wrong, and by the time that has passed here, which nobody sets. */
  #isFresh(client: UpstreamClient, { record, checkedHere }: Known): boolean {
    const { clock } = this.#parts;
    const lifetimeMs = lifetimeOf(record.tag, client);
    if (!isYoungerThan(lifetimeMs, record.checkedAt, clock.now())) return false;
    return checkedHere === undefined || isYoungerThan(lifetimeMs, checkedHere, clock.elapsed());
  }

  /** Nothing is stored: a GET asks for the bytes at once, a HEAD only for the headers. */
  #firstCheck(asking: Asking, wantsBytes: boolean): Promise<ResolvedTag> {
    const name = nameOf(asking.key);
    // What a GET does not find is not there; what a HEAD does not find says nothing of a GET.
    this.#absent.check(`GET ${name}`);
    if (!wantsBytes) this.#absent.check(`HEAD ${name}`);
    this.#absent.check(`GET REFUSED ${flightOf(asking)}`);
    if (!wantsBytes) this.#absent.check(`HEAD REFUSED ${flightOf(asking)}`);
    return this.#fetchByTag(asking, wantsBytes);
  }

  #fetchByTag(asking: Asking, wantsBytes: boolean): Promise<ResolvedTag> {
    const method = wantsBytes ? "GET" : "HEAD";
    return this.#checks.run(`${method} ${flightOf(asking)}`, async () => {
      const absence = hearAbsence();
      const { onAbsent } = absence;
      const asked = { ...asking, onAbsent };
      const answer = unlessHidden(wantsBytes ? this.#get(asked) : this.#head(asked), onAbsent);
      const { negativeLifetimeMs } = asking.client.upstream.policy;
      const head = await this.#absent.unlessRefused(
        `${method} REFUSED ${flightOf(asking)}`,
        negativeLifetimeMs,
        answer,
      );
      if (head === undefined) throw this.#isAbsent(asking, method, absence.told);
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
      stale(record, this.#notAsked(record, `no answer within ${formatDuration(offlineDeadlineMs)}`))
    );
  }

  /** What is stored is given up only for what is in hand, or when the upstream has said twice that the tag is not there. */
  async #recheck(asking: Asking, record: TagRecord): Promise<ResolvedTag> {
    const absence = hearAbsence();
    try {
      const { onAbsent } = absence;
      const head = await this.#headOrGet({ ...asking, onAbsent }, record);
      if (head !== undefined) return await this.#renew(asking, record, head);
    } catch (error) {
      if (isGranaryError(error, "client-outdated", "closed")) throw error;
      if (!isWithdrawn(error)) return this.#checkFailed(record, error);
      return await this.#isMissing(asking, record, () => error);
    }
    return await this.#isMissing(asking, record, () => this.#isAbsent(asking, "GET", absence.told));
  }

  async #renew(asking: Asking, record: TagRecord, head: Head): Promise<ResolvedTag> {
    this.#missing.seen(nameOf(record));
    const moved = head.digest !== record.digest;
    if (moved) await this.#replace(asking, record, head);
    this.#failed.delete(nameOf(record));
    const outcome = moved ? "miss" : "revalidated";
    return { record: await this.#record(record, head), outcome, warning: undefined };
  }

  /** A manifest in hand is given up only for another in hand: Hub may answer the HEAD and refuse the GET. */
  async #replace({ client, accept, userAgent }: Asking, record: TagRecord, { digest }: Head): Promise<void> {
    if (!(await this.#bytes.holds(record.digest)) || (await this.#bytes.holds(digest))) return;
    try {
      await this.#bytes.fetch(client, record, digest, userAgent, accept);
    } catch (error) {
      if (!isGranaryError(error, "not-found")) throw error;
      // One server of the registry knows of the new manifest, another does not have it yet.
      const reason = "the tag has moved, and its new manifest is not there yet";
      const message = `${record.upstream}/${record.repository}:${record.tag}: ${reason} (${digest}).`;
      throw new GranaryError("upstream-unavailable", message, { reason, cause: error });
    }
  }

  #checkFailed(record: TagRecord, error: unknown): ResolvedTag {
    const tag = `${record.upstream}/${record.repository}:${record.tag}`;
    const facts = { tag, reason: messageOf(error) };
    this.#episodes.trouble(`stored tags of ${record.upstream}`, facts, "serving a stored tag");
    return this.#staleFor(RECHECK_MS, record, this.#notAsked(record, reasonOf(error)));
  }

  /** The upstream says that a stored tag is not there: served with a warning, until it is said a second time. */
  async #isMissing(asking: Asking, record: TagRecord, verdict: () => unknown): Promise<ResolvedTag> {
    const name = nameOf(record);
    const leftMs = this.#missing.saidMissing(name, asking.client.upstream.policy.negativeLifetimeMs);
    if (leftMs === 0) {
      this.#records.delete(name);
      await this.#parts.metadata.forgetTag(record);
      throw verdict();
    }
    const said = `stale: ${record.upstream} says that this tag is not there, and will be asked once more`;
    return this.#staleFor(leftMs, record, this.#withAge(record, said));
  }

  #staleFor(ms: number, record: TagRecord, warning: string): ResolvedTag {
    this.#failed.set(nameOf(record), { until: this.#parts.clock.elapsed() + ms, warning });
    return stale(record, warning);
  }

  /** HEAD alone does not make a tag absent: some registries answer it with 404 where a GET finds the manifest. */
  async #headOrGet(asking: Asking, known: TagRecord): Promise<Head | undefined> {
    return (await this.#head(asking, known)) ?? (await this.#get(asking));
  }

  /** The tag by HEAD; by GET where the HEAD does not tell digest, size and a manifest's type. undefined when it is not there. */
  async #head(asking: Asking, known?: TagRecord): Promise<Head | undefined> {
    const { client, key } = asking;
    const head = await client.headManifest(askOf(asking));
    if (head === undefined) return undefined;
    const { digest } = head;
    // The digest settles it, whatever else is told: the Ollama registry calls every manifest text/plain.
    if (known !== undefined && digest === known.digest) return known;
    if (known !== undefined && digest !== undefined && (await this.#bytes.isPayload(known.digest, digest)))
      return known;
    const told = toldHead(head);
    if (told === undefined) return await this.#get(asking);
    await this.#bytes.confirm(key, told);
    return told;
  }

  async #get(asking: Asking): Promise<Head | undefined> {
    const { client, key } = asking;
    const body = await client.getManifest(askOf(asking));
    return body && headOf(await this.#bytes.keep(key, body, key.tag));
  }

  async #record(key: TagKey, { digest, mediaType, size }: Head): Promise<TagRecord> {
    const { upstream, repository, tag, acceptClass } = key;
    const { clock, metadata } = this.#parts;
    const record = {
      upstream,
      repository,
      tag,
      acceptClass,
      digest,
      mediaType,
      size,
      checkedAt: clock.now(),
    };
    await metadata.recordTag(record);
    this.#records.set(nameOf(key), { record, checkedHere: clock.elapsed() });
    return record;
  }

  #isAbsent({ client, key }: Asking, method: "GET" | "HEAD", told: readonly ToldError[]): GranaryError {
    const { negativeLifetimeMs } = client.upstream.policy;
    const error = notFound(key, key.tag, told);
    return this.#absent.remember(`${method} ${nameOf(key)}`, negativeLifetimeMs, error);
  }

  #notAsked(record: TagRecord, reason: string): string {
    return this.#withAge(record, `stale: ${record.upstream} could not be asked (${reason})`);
  }

  #withAge({ checkedAt }: TagRecord, text: string): string {
    return `${text}; this was checked ${formatAge(checkedAt, this.#parts.clock.now())}`;
  }
}

function stale(record: TagRecord, warning: string): ResolvedTag {
  return { record, outcome: "stale", warning };
}

function askOf({ key, accept, userAgent, onAbsent }: Asking) {
  const ask = { repository: key.repository, reference: key.tag, accept, userAgent };
  return onAbsent === undefined ? ask : { ...ask, onAbsent };
}

/** 410 and 451 are said of the content itself and for good, as 404 is; other refusals may be of the moment. */
function isWithdrawn(error: unknown): boolean {
  return isGranaryError(error, "upstream-refused") && [410, 451].includes(error.facts.upstreamStatus ?? 0);
}

function nameOf({ upstream, repository, tag, acceptClass }: TagKey): string {
  return `${upstream}\n${repository}\n${tag}\n${acceptClass}`;
}

function flightOf({ client, key, userAgent }: Asking): string {
  return `${nameOf(key)} ${sentAgent(client, userAgent)}`;
}
