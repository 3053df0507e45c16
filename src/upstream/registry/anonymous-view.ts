/**
 * Owns what somebody without our login and client certificate can see of a repository (docs/protocol.md#private-content). A 200 alone proves
 * nothing, because sign-in pages are 200 as well: a manifest counts as seen by its type and digest, or by its bytes. The question may also
 * fail for other reasons, such as a pull limit of our address. Then other evidence is looked at: what the anonymous token says, and whether
 * the tags may be listed. It never asks with our login or certificate.
 */
import { isGranaryError } from "../../errors.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseJsonObject } from "../../oci/json-value.ts";
import { MANIFEST_UNION } from "../../oci/media-types.ts";
import { within } from "../../waiting/deadline.ts";
import { ANONYMOUS } from "../identity/identity.ts";
import type { Grant } from "../identity/tokens.ts";
import { answerError, statusError } from "../network/answer-error.ts";
import type { At, Caller } from "../network/caller.ts";
import type { QuestionKey } from "../network/rate-limits.ts";
import { discardBody, readLimited } from "../network/read-body.ts";
import { isRedirect } from "../network/redirects.ts";
import { repositoryAt } from "../registry-url.ts";
import type { Sight, ViewAsk } from "../upstream-client.ts";
import type { Reply, Uplink } from "./ask-registry.ts";
import { askBlob } from "./blob-size.ts";
import { askTags } from "./list-questions.ts";
import { askManifest, HEADLESS, readHead } from "./manifest-questions.ts";
import { readBy, toldBy } from "./proven-manifest.ts";

/** These questions have callers of their own, one for each kind: their limits and failures must not count for other questions (docs/protocol.md#retries). */
export type AnonymousCallers = { readonly content: Caller; readonly lists: Caller };

type Seen = { readonly sight: Sight } | { readonly failure: unknown };

/** What one answer showed: the digest of a manifest, that something is there, or how it was refused. */
type Shown = { readonly digest?: Digest } | { readonly refusedBy: number };

/** How many times `offlineDeadlineMs` one piece of evidence is waited for. After that the next one is looked at, while the question goes on. */
const PATIENCE = 3;

/** Bytes of a list of tags. Only one tag is asked for, but some registries send all of them. */
const MAX_LIST_BYTES = 8 * 2 ** 20;

/** Throws what the question threw, when neither it nor the other evidence tells. */
export async function viewAnonymously(
  uplink: Uplink,
  { content, lists }: AnonymousCallers,
  { repository, by, looksNoFurther = false }: ViewAsk,
): Promise<Sight> {
  const patienceMs = PATIENCE * uplink.upstream.policy.offlineDeadlineMs;
  const inTime = <T>(work: Promise<T>) => within(work, patienceMs, uplink.clock);
  const kind = "manifest" in by ? "manifest HEAD" : "blob HEAD";
  const looking = lookAt(uplink, content, { kind, repository }, (at) =>
    "manifest" in by
      ? showManifest(uplink, repository, by.manifest, at)
      : showBlob(uplink, repository, by.blob, at),
  );
  const early = await inTime(looking);
  const sight = early && sightOf(early);
  if (sight?.view === "open" || (sight?.view === "unseen" && looksNoFurther)) return sight;
  const view = sight?.view;
  const grant = await inTime(grantOf(uplink, repository));
  if (view === "refused" && grant === "granted") return { view: "unclear" };
  if (grant === "denied") return { view: "closed" };
  if (view === "refused" || grant === "refused") return { view: "refused" };
  if (view === undefined && grant === "granted") return { view: "granted" };
  // Who may list the tags may read; a refusal to list says nothing.
  const listing = lookAt(uplink, lists, { kind: "tags", repository }, (at) =>
    showTags(uplink, repository, at),
  );
  const listed = await inTime(listing);
  if (listed !== undefined && sightOf(listed)?.view === "open") return { view: "open" };
  if (grant === "granted") return { view: "granted" };
  const seen = early ?? (await looking);
  if ("failure" in seen) throw seen.failure;
  return seen.sight;
}

function sightOf(seen: Seen): Sight | undefined {
  return "sight" in seen ? seen.sight : undefined;
}

async function lookAt(
  uplink: Uplink,
  caller: Caller,
  question: QuestionKey,
  show: (at: At) => Promise<Shown | undefined>,
): Promise<Seen> {
  let isRefused = false;
  const attempt = async (at: At): Promise<Sight | undefined> => {
    const shown = await show(at);
    if (shown !== undefined && "refusedBy" in shown) isRefused ||= shown.refusedBy !== 404;
    else if (shown !== undefined) return { view: "open", ...shown };
    return undefined;
  };
  try {
    const sight = await caller.withRetries(question, attempt);
    return { sight: sight ?? { view: isRefused ? "refused" : "unseen" } };
  } catch (failure) {
    // A host that wants a client certificate may end the connection before there is any HTTP.
    return uplink.hasCertificate && isTurnedAway(failure) ? { sight: { view: "refused" } } : { failure };
  }
}

/** True when a connection was made and ended without an answer. */
function isTurnedAway(failure: unknown): boolean {
  if (!isGranaryError(failure, "upstream-unavailable")) return false;
  const { upstreamStatus, isUnreachable, unsentForMs } = failure.facts;
  return upstreamStatus === undefined && isUnreachable !== true && unsentForMs === undefined;
}

/** By HEAD, where that tells a manifest's type and digest; by the bytes where it does not. */
async function showManifest(
  uplink: Uplink,
  repository: string,
  reference: string,
  at: At,
): Promise<Shown | undefined> {
  const ask = { repository, reference, accept: MANIFEST_UNION, userAgent: undefined };
  const head = await askManifest(uplink, ask, "HEAD", ANONYMOUS, at);
  discardBody(head);
  if (!HEADLESS.includes(head.status)) {
    if (head.status !== 200) return refusal(uplink, head);
    const digest = head.isAbroad ? undefined : toldBy(head, reference);
    if (digest !== undefined) return { digest };
  }
  const reply = await askManifest(uplink, ask, "GET", ANONYMOUS, at);
  if (reply.status === 200) {
    const digest = await readBy(reply, reference, at.signal);
    return digest && { digest };
  }
  discardBody(reply);
  return refusal(uplink, reply);
}

async function showBlob(
  uplink: Uplink,
  repository: string,
  digest: Digest,
  at: At,
): Promise<Shown | undefined> {
  const reply = await askBlob(uplink, repository, digest, "HEAD", ANONYMOUS, at);
  discardBody(reply);
  if (isRedirect(reply)) {
    // The registry accepted the anonymous token. Without a token, the redirect may lead to a sign-in page.
    if (reply.isAuthorized) return {};
    throw answerError("upstream-unavailable", reply.url, "does not tell who may read a blob");
  }
  if (reply.status !== 200) return refusal(uplink, reply);
  return readHead(reply).digest === digest ? {} : undefined;
}

async function showTags(uplink: Uplink, repository: string, at: At): Promise<Shown | undefined> {
  const reply = await askTags(uplink, repository, "n=1", ANONYMOUS, at);
  if (reply.status !== 200 || reply.isAbroad) {
    discardBody(reply);
    return reply.status === 200 ? undefined : refusal(uplink, reply);
  }
  const list = parseJsonObject(await readLimited(reply, MAX_LIST_BYTES, at.signal));
  return Array.isArray(list?.tags) && typeof list.name === "string" ? {} : undefined;
}

/** Throws for a status that does not tell who may read. */
function refusal({ hasCertificate, clock }: Uplink, reply: Reply): Shown {
  const { status } = reply;
  // nginx answers 400 when there is no client certificate; 495 and 496 are its own codes for that.
  const isRefusal = [401, 403, 404].includes(status) || (hasCertificate && [400, 495, 496].includes(status));
  if (isRefusal) return { refusedBy: status };
  throw statusError(reply, clock.now());
}

/** What the anonymous token says, which costs no pull; undefined when it does not tell, or there is none now. */
async function grantOf({ authorizer, endpoints }: Uplink, repository: string): Promise<Grant | undefined> {
  let grant: Grant | undefined;
  for (const endpoint of endpoints.order) {
    const destination = {
      url: new URL(endpoint),
      repository: repositoryAt(endpoint, repository),
      credentials: undefined,
      isEndpoint: true,
      isStranger: true,
    };
    grant = (await authorizer.grantOf(destination).catch(() => undefined)) ?? grant;
    if (grant === "granted") return grant;
  }
  return grant;
}
