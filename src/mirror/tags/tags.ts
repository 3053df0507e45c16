/**
 * Owns which digest a tag means now, and how sure we are. After its lifetime a stored tag is checked with one HEAD for everybody who asks;
 * while the upstream cannot be asked, the stored answer is given, with a warning (stale-tags.ts). No client's leaving ends another's question.
 * It is long because every way in which a tag gets its answer, and what follows when that fails, is read together.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { TagKey, TagRecord } from "../../metadata/metadata.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { ToldError } from "../../oci/error-body.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import type { ManifestHead } from "../../source.ts";
import { hearAbsence, unlessHidden } from "../../upstream/registry/absence.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";
import { untilDeadline } from "../../waiting/deadline.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";
import { Disappearances } from "../absence/disappearances.ts";
import { NegativeAnswers } from "../absence/negative-answers.ts";
import { notFound } from "../absence/not-found.ts";
import { acceptClassOf, askBeyond, beyondUnion, hasNoSuchType, takes } from "../manifests/accept.ts";
import { type ManifestBytes, type ManifestParts, sentAgent } from "../manifests/manifest-bytes.ts";
import type { ManifestAsker } from "../mirror.ts";
import { HeldBack } from "../rules/cooldown.ts";
import { getTag, headTag, type TagQuestion } from "./ask-tag.ts";
import type { ResolvedTag } from "./resolved-tag.ts";
import { StaleTags } from "./stale-tags.ts";
import { TagAdmission } from "./tag-admission.ts";
import { nameOf, TagRecords } from "./tag-records.ts";

export class Tags {
  readonly #parts: ManifestParts;
  readonly #bytes: ManifestBytes;
  readonly #records: TagRecords;
  readonly #admission: TagAdmission;
  readonly #stale: StaleTags;
  readonly #missing: Disappearances;
  readonly #absent: NegativeAnswers;
  readonly #checks: SingleFlight<ResolvedTag>;

  constructor(parts: ManifestParts, bytes: ManifestBytes, episodes: Episodes) {
    this.#parts = parts;
    this.#bytes = bytes;
    this.#records = new TagRecords(parts.metadata, parts.clock);
    this.#admission = new TagAdmission(parts, bytes, this.#records);
    this.#stale = new StaleTags(parts.clock, episodes);
    this.#absent = new NegativeAnswers(parts.clock);
    this.#missing = new Disappearances(parts.clock);
    this.#checks = new SingleFlight(parts.clock);
  }

  /** What the tag means to this client. With `wantsBytes` an unknown tag is asked for by GET, so that its manifest comes with it. Codes: see Mirror. */
  async resolve(
    client: UpstreamClient,
    where: Omit<TagKey, "acceptClass">,
    { accept, userAgent }: ManifestAsker,
    wantsBytes: boolean,
  ): Promise<ResolvedTag> {
    const { upstream, repository, tag } = where;
    const key = { upstream, repository, tag, acceptClass: "" };
    const ask = (asked: readonly string[]) => {
      const acceptClass = asked === MANIFEST_UNION ? "" : acceptClassOf(asked);
      return this.#resolve(this.#question(client, { ...key, acceptClass }, asked, userAgent), wantsBytes);
    };
    const remembered = await this.#rememberedBeyond(key, accept);
    if (remembered !== undefined) {
      try {
        return await ask(remembered);
      } catch (error) {
        if (!hasNoSuchType(error)) throw error;
      }
    }
    const found = await askBeyond(accept, ask);
    // The client cannot take what the union brought: the upstream decides what it gets (docs/protocol.md#manifest-accept).
    return found.record.acceptClass !== "" || takes(accept, found.record.mediaType)
      ? found
      : await ask(accept);
  }

  /** What `resolve` gives where the tag is in memory and fresh, and this client takes what it means; undefined in all other cases. */
  fresh(
    client: UpstreamClient,
    { upstream, repository, tag }: Omit<TagKey, "acceptClass">,
    accept: readonly string[],
  ): TagRecord | undefined {
    const known = this.#records.remembered({ upstream, repository, tag, acceptClass: "" });
    if (known === undefined || !takes(accept, known.record.mediaType)) return undefined;
    return this.#records.isFresh(client, known) ? known.record : undefined;
  }

  /** The types to ask with at once, where the union found nothing before and these did: not every pull should cost two questions. */
  async #rememberedBeyond(key: TagKey, accept: readonly string[]): Promise<readonly string[] | undefined> {
    const own = beyondUnion(accept);
    if (own === undefined || (await this.#records.find(key)) !== undefined) return undefined;
    const known = await this.#records.find({ ...key, acceptClass: acceptClassOf(own) });
    return known === undefined ? undefined : own;
  }

  /**
   * The tag with its manifest, by a GET of the tag itself: for when the upstream does not have the digest that it last named for the tag.
   * Throws as `resolve`.
   */
  async refetch(
    client: UpstreamClient,
    key: TagKey,
    { accept, userAgent }: ManifestAsker,
  ): Promise<ResolvedTag> {
    const asked = key.acceptClass === "" ? MANIFEST_UNION : (beyondUnion(accept) ?? accept);
    return await this.#fetchByTag(this.#question(client, key, asked, userAgent), true);
  }

  /** What is known of the tag is checked at its upstream before it is served again, whatever its lifetime. */
  expire(where: Omit<TagKey, "acceptClass">): void {
    this.#records.expire(where);
    // Also where it was asked for in vain a moment ago.
    this.#stale.over({ ...where, acceptClass: "" });
  }

  #question(
    client: UpstreamClient,
    key: TagKey,
    accept: readonly string[],
    userAgent: string | undefined,
  ): TagQuestion {
    const asked = { client, key, accept, userAgent, expiries: this.#records.expiries };
    const admit = this.#admission.of(key);
    return admit === undefined ? asked : { ...asked, admit };
  }

  /** Their rows were deleted. */
  forgetHere(keys: readonly TagKey[]): void {
    for (const key of keys) this.#records.forgetHere(key);
  }

  async #resolve(question: TagQuestion, wantsBytes: boolean): Promise<ResolvedTag> {
    const known = await this.#records.find(question.key);
    if (known === undefined) return await this.#firstCheck(question, wantsBytes);
    const { record } = known;
    if (this.#records.isFresh(question.client, known)) return { record, outcome: "hit", warning: undefined };
    return await this.#check(question, record);
  }

  /** Somebody brought in the tag `key`: what was remembered of it, and that it is not there, is over. */
  imported(key: TagKey): void {
    this.#records.forgetMemory(key);
    this.#stale.over(key);
    this.#missing.seen(nameOf(key));
    this.#absent.clear();
  }

  /** Nothing is stored: a GET asks for the bytes at once, a HEAD only for the headers. */
  #firstCheck(question: TagQuestion, wantsBytes: boolean): Promise<ResolvedTag> {
    const name = nameOf(question.key);
    // A GET that found nothing answers a HEAD too. A HEAD that found nothing does not answer a GET: some registries answer only GET.
    this.#absent.check(`GET ${name}`);
    if (!wantsBytes) this.#absent.check(`HEAD ${name}`);
    this.#absent.check(`GET REFUSED ${flightOf(question)}`);
    if (!wantsBytes) this.#absent.check(`HEAD REFUSED ${flightOf(question)}`);
    return this.#fetchByTag(question, wantsBytes);
  }

  #fetchByTag(question: TagQuestion, wantsBytes: boolean): Promise<ResolvedTag> {
    const method = wantsBytes ? "GET" : "HEAD";
    return this.#checks.run(`${method} ${this.#flightNow(question)}`, () =>
      this.#inTurn(question, () => this.#askNow(question, wantsBytes)),
    );
  }

  /** Whoever comes after the tag was expired waits for no answer to a question from before that. */
  #flightNow(question: TagQuestion): string {
    return `${flightOf(question)} ${this.#records.expiryOf(question.key) ?? ""}`;
  }

  /** In a fleet one node asks, and the others are told what it has found. */
  #inTurn(question: TagQuestion, ask: () => Promise<ResolvedTag>): Promise<ResolvedTag> {
    const { turns } = this.#parts;
    if (turns === undefined) return ask();
    const { client, key } = question;
    const look = async (): Promise<ResolvedTag | undefined> => {
      const record = await this.#records.toldByOthers(client, key);
      return record && { record, outcome: "revalidated", warning: undefined };
    };
    return turns.one({
      key: `tag\n${nameOf(key)}`,
      ask,
      look,
      mostMs: client.upstream.policy.offlineDeadlineMs,
    });
  }

  async #askNow(question: TagQuestion, wantsBytes: boolean): Promise<ResolvedTag> {
    const method = wantsBytes ? "GET" : "HEAD";
    const absence = hearAbsence();
    const { onAbsent } = absence;
    const asked = { ...question, onAbsent };
    const answer = unlessHidden(this.#ask(asked, wantsBytes), onAbsent);
    const { negativeLifetimeMs } = question.client.upstream.policy;
    const head = await this.#absent.unlessRefused(
      `${method} REFUSED ${flightOf(question)}`,
      negativeLifetimeMs,
      answer,
    );
    if (head === undefined) throw this.#isAbsent(question, method, absence.told);
    return {
      record: await this.#records.record(question.key, head, question.expiries),
      outcome: "miss",
      warning: undefined,
    };
  }

  /** Where new content may have to wait, a HEAD comes first: it does not count as a pull at the registry. */
  async #ask(asked: TagQuestion, wantsBytes: boolean): Promise<ManifestHead | undefined> {
    if (wantsBytes && asked.admit !== undefined) await headTag(asked, this.#bytes);
    return await (wantsBytes ? getTag(asked, this.#bytes) : headTag(asked, this.#bytes));
  }

  /** One HEAD for everybody who asks meanwhile; whoever has waited until the deadline gets what is stored. */
  async #check(question: TagQuestion, record: TagRecord): Promise<ResolvedTag> {
    const offline = question.client.offline();
    if (offline !== undefined) return this.#stale.offline(record, offline);
    const remembered = this.#stale.remembered(record);
    if (remembered !== undefined) return remembered;
    const flight = this.#checks.join(`CHECK ${this.#flightNow(question)}`, () =>
      this.#inTurn(question, () => this.#recheck(question, record)),
    );
    const { offlineDeadlineMs } = question.client.upstream.policy;
    const deadline = flight.startedAt + offlineDeadlineMs;
    const checked = await untilDeadline(flight.result, deadline, this.#parts.clock);
    return checked ?? this.#stale.late(record, offlineDeadlineMs);
  }

  /** The stored answer is dropped only once the new manifest is stored, or when the upstream has said twice that the tag is not there. */
  async #recheck(question: TagQuestion, record: TagRecord): Promise<ResolvedTag> {
    const absence = hearAbsence();
    try {
      const { onAbsent } = absence;
      const asked = { ...question, onAbsent };
      const head = (await headTag(asked, this.#bytes, record)) ?? (await getTag(asked, this.#bytes));
      if (head !== undefined) return await this.#renew(question, record, head);
    } catch (error) {
      if (isGranaryError(error, "client-outdated", "closed")) throw error;
      if (error instanceof HeldBack) return await this.#isHeldBack(question, record, error);
      const offline = question.client.offline();
      if (offline !== undefined) return this.#stale.offline(record, offline);
      if (!isWithdrawn(error)) return this.#stale.failed(record, error);
      return await this.#isMissing(question, record, () => error);
    }
    return await this.#isMissing(question, record, () => this.#isAbsent(question, "GET", absence.told));
  }

  async #renew(question: TagQuestion, record: TagRecord, head: ManifestHead): Promise<ResolvedTag> {
    this.#missing.seen(nameOf(record));
    const moved = head.digest !== record.digest;
    if (moved) await this.#replace(question, record, head);
    // The same tag, asked for with unusual types, is the same move.
    if (moved && record.acceptClass === "") this.#tellMoved(record, head);
    this.#stale.over(record);
    const outcome = moved ? "miss" : "revalidated";
    return {
      record: await this.#records.record(record, head, question.expiries),
      outcome,
      warning: undefined,
    };
  }

  #tellMoved({ upstream, repository, tag, digest: from }: TagRecord, { digest: to }: ManifestHead): void {
    const text = `${upstream}/${repository}:${tag} moved to ${to}`;
    this.#parts.events?.tell("tag-moved", text, { upstream, repository, tag, from, to });
  }

  /** The tag stays on what was known: the upstream was asked, so that is as fresh as it gets. */
  async #isHeldBack(
    { expiries }: TagQuestion,
    record: TagRecord,
    { warning }: HeldBack,
  ): Promise<ResolvedTag> {
    this.#missing.seen(nameOf(record));
    this.#stale.over(record);
    return { record: await this.#records.record(record, record, expiries), outcome: "revalidated", warning };
  }

  /** Moves the tag only once the new manifest is stored: Docker Hub may answer the HEAD and refuse the GET. */
  async #replace(
    { client, accept, userAgent }: TagQuestion,
    record: TagRecord,
    { digest }: ManifestHead,
  ): Promise<void> {
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

  /** The upstream says that a stored tag is not there: served with a warning, until it is said a second time. */
  async #isMissing(question: TagQuestion, record: TagRecord, verdict: () => unknown): Promise<ResolvedTag> {
    const { negativeLifetimeMs } = question.client.upstream.policy;
    if (record.importedAt !== undefined) return this.#stale.staysImported(record, negativeLifetimeMs);
    const leftMs = this.#missing.saidMissing(nameOf(record), negativeLifetimeMs);
    if (leftMs > 0) return this.#stale.askedOnceMore(record, leftMs);
    await this.#records.forget(record);
    throw verdict();
  }

  #isAbsent({ client, key }: TagQuestion, method: "GET" | "HEAD", told: readonly ToldError[]): GranaryError {
    const { negativeLifetimeMs } = client.upstream.policy;
    const error = notFound(key, key.tag, told);
    return this.#absent.remember(`${method} ${nameOf(key)}`, negativeLifetimeMs, error);
  }
}

/** 410 and 451 are said of the content itself and for good, as 404 is; other refusals may be of the moment. */
function isWithdrawn(error: unknown): boolean {
  return isGranaryError(error, "upstream-refused") && [410, 451].includes(error.facts.upstreamStatus ?? 0);
}

function flightOf({ client, key, userAgent }: TagQuestion): string {
  return `${nameOf(key)} ${sentAgent(client, userAgent)}`;
}
