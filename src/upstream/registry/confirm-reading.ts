/**
 * Owns the question whether a client may read one thing, asked with what that client itself showed (docs/protocol.md#own-logins). Nothing of
 * ours goes with it, neither our login nor our certificate, and nothing that it meets counts for other questions. A status alone proves
 * nothing: sign-in pages are 200 as well.
 */
import { type GranaryError, isGranaryError } from "../../errors.ts";
import { OCI_INDEX } from "../../oci/media-types.ts";
import { answerError } from "../network/answer-error.ts";
import type { Caller } from "../network/caller.ts";
import type { QuestionKey } from "../network/rate-limits.ts";
import { discardBody } from "../network/read-body.ts";
import { manifestUrl, referrersUrl, tagsUrl } from "../registry-url.ts";
import type { Permission, ReadingAsk } from "../upstream-client.ts";
import { askAsClient, type ClientQuestion, isRefused, MAY_READ, unproven } from "./ask-as-client.ts";
import type { Uplink } from "./ask-registry.ts";
import { readsBlob } from "./confirm-blob.ts";
import { HEADLESS } from "./manifest-questions.ts";
import { readBy, toldBy } from "./proven-manifest.ts";

type AskOf<K extends ReadingAsk["kind"]> = Extract<ReadingAsk, { readonly kind: K }>;

/** `caller` asks these questions alone. Throws what kept the registry from telling; see UpstreamClient. */
export async function confirmReading(
  uplink: Uplink,
  caller: Caller,
  ask: ReadingAsk,
  authorization: string,
): Promise<Permission> {
  refuseAway(uplink);
  const { transport, clock } = uplink;
  let limited: GranaryError | undefined;
  const reading = await caller.withRetries(keyOf(ask), async (at) => {
    try {
      return await reads({ transport, clock, authorization, at }, ask);
    } catch (error) {
      if (!isGranaryError(error, "rate-limited")) throw error;
      // It is the limit of this client. Met by the caller, it would keep others from being asked about.
      limited ??= error;
      return undefined;
    }
  });
  if (reading === undefined && limited !== undefined) throw limited;
  return reading ?? { mayRead: false };
}

/** That the upstream is away is known from questions of our own, and no client has to find out again. */
function refuseAway({ caller, endpoints, upstream }: Uplink): void {
  const [endpoint] = endpoints.order;
  if (!caller.isAway || endpoint === undefined) return;
  throw answerError("upstream-unavailable", new URL(endpoint), "is away", { target: upstream.name });
}

function keyOf({ kind, repository }: ReadingAsk): QuestionKey {
  if (kind === "manifest") return { kind: "manifest HEAD", repository };
  return { kind: kind === "blob" ? "blob HEAD" : kind, repository };
}

/** undefined where this endpoint refuses it, or does not have it. */
async function reads(question: ClientQuestion, ask: ReadingAsk): Promise<Permission | undefined> {
  switch (ask.kind) {
    case "manifest":
      return await readsManifest(question, ask);
    case "blob":
      return await readsBlob(question, ask);
    default:
      return await readsList(question, ask);
  }
}

/** By HEAD; by GET as well where the HEAD does not tell which manifest it is. */
async function readsManifest(
  question: ClientQuestion,
  { repository, reference, accept }: AskOf<"manifest">,
): Promise<Permission | undefined> {
  const { endpoint, signal } = question.at;
  const url = manifestUrl(endpoint, repository, reference);
  const headers = { accept: accept.join(", ") };
  const head = await askAsClient(question, { kind: "manifest", method: "HEAD", url, headers });
  discardBody(head);
  const isHeadless = HEADLESS.includes(head.status);
  if (!isHeadless && isRefused(question, head)) return undefined;
  const told = isHeadless ? undefined : toldBy(head, reference);
  if (told !== undefined) return { mayRead: true, digest: told };
  const reply = await askAsClient(question, { kind: "manifest", method: "GET", url, headers });
  if (reply.status !== 200) discardBody(reply);
  if (isRefused(question, reply)) return undefined;
  const digest = await readBy(reply, reference, signal);
  if (digest === undefined) throw unproven(reply);
  return { mayRead: true, digest };
}

/** The list itself is not read: that it comes is the answer. */
async function readsList(
  question: ClientQuestion,
  ask: AskOf<"tags" | "referrers">,
): Promise<Permission | undefined> {
  const { endpoint } = question.at;
  const { kind, repository } = ask;
  const url =
    ask.kind === "tags"
      ? tagsUrl(endpoint, repository, ask.query)
      : referrersUrl(endpoint, repository, ask.digest);
  const accept = kind === "tags" ? "application/json" : OCI_INDEX;
  const reply = await askAsClient(question, { kind, method: "GET", url, headers: { accept } });
  discardBody(reply);
  if (isRefused(question, reply)) return undefined;
  if (!/\bjson\b/i.test(reply.headers["content-type"] ?? "")) throw unproven(reply);
  return MAY_READ;
}
