/**
 * Owns what somebody without our credentials gets to see of a repository. The question itself may fail for reasons of its own (the
 * anonymous budget of a shared address is spent), and that failure is no answer: then other evidence of the same thing is looked at,
 * which is the word of the anonymous token, and whether the tags may be listed. It never asks with our credentials.
 */
import { MANIFEST_UNION } from "../oci/media-types.ts";
import type { Grant } from "./authorizer.ts";
import { askBlob } from "./blob-size.ts";
import type { At, Caller } from "./caller.ts";
import type { Reply } from "./exchange.ts";
import { ANONYMOUS } from "./identity.ts";
import type { QuestionKey } from "./limits.ts";
import { askTags } from "./list-questions.ts";
import { askManifest } from "./manifest-questions.ts";
import { discardBody } from "./read-body.ts";
import { repositoryAt } from "./registry-url.ts";
import { statusError } from "./status-error.ts";
import type { Uplink } from "./uplink.ts";
import type { View, ViewAsk } from "./upstream-client.ts";

/** Callers of their own: limits and failures of these questions are theirs, and those of one kind are not the other's (H68). */
export type AnonymousCallers = { readonly content: Caller; readonly lists: Caller };

type Seen = { readonly view: View } | { readonly failure: unknown };

/** So often the longest wait of who has something stored: then other evidence is looked at, while the question goes on. */
const PATIENCE = 3;

/** Throws what the question threw, when neither it nor the other evidence tells. */
export async function viewAnonymously(
  uplink: Uplink,
  { content, lists }: AnonymousCallers,
  { repository, by }: ViewAsk,
): Promise<View> {
  const inTime = <T>(work: Promise<T>) => within(uplink, work);
  const kind = "manifest" in by ? "manifest HEAD" : "blob HEAD";
  const looking = lookAt(uplink, content, { kind, repository }, (at) =>
    askContent(uplink, repository, by, at),
  );
  const early = await inTime(looking);
  const view = early && viewOf(early);
  if (view === "open") return "open";
  const grant = await inTime(grantOf(uplink, repository));
  if (view === "refused" && grant === "granted") return "unclear";
  if (grant === "denied") return "closed";
  if (view === "refused" || grant === "refused") return "refused";
  if (view === undefined && grant === "granted") return "granted";
  // To be allowed to list is to be allowed to read; not to be allowed to list says nothing.
  const listing = lookAt(uplink, lists, { kind: "tags", repository }, (at) =>
    askTags(uplink, repository, { n: "1" }, ANONYMOUS, at),
  );
  const listed = await inTime(listing);
  if (listed !== undefined && viewOf(listed) === "open") return "open";
  if (grant === "granted") return "granted";
  const seen = early ?? (await looking);
  if ("failure" in seen) throw seen.failure;
  return seen.view;
}

/** The value of `work`, which never rejects; undefined when that takes too long to wait for. */
function within<T>({ clock, upstream }: Uplink, work: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = clock.after(PATIENCE * upstream.policy.offlineDeadlineMs, () => resolve(undefined));
    void work.then(resolve).finally(() => timer.cancel());
  });
}

function viewOf(seen: Seen): View | undefined {
  return "view" in seen ? seen.view : undefined;
}

async function lookAt(
  uplink: Uplink,
  caller: Caller,
  question: QuestionKey,
  ask: (at: At) => Promise<Reply>,
): Promise<Seen> {
  let isRefused = false;
  const attempt = async (at: At): Promise<true | undefined> => {
    const reply = await ask(at);
    discardBody(reply);
    const { status } = reply;
    if (status === 200) return true;
    if (![401, 403, 404].includes(status)) throw statusError(reply, uplink.clock.now());
    isRefused ||= status !== 404;
    return undefined;
  };
  try {
    if ((await caller.withRetries(question, attempt)) === true) return { view: "open" };
    return { view: isRefused ? "refused" : "unseen" };
  } catch (failure) {
    return { failure };
  }
}

async function askContent(uplink: Uplink, repository: string, by: ViewAsk["by"], at: At): Promise<Reply> {
  if ("manifest" in by) {
    const ask = { repository, reference: by.manifest, accept: MANIFEST_UNION, userAgent: undefined };
    return await askManifest(uplink, ask, "HEAD", ANONYMOUS, at);
  }
  const reply = await askBlob(uplink, repository, by.blob, "HEAD", ANONYMOUS, at);
  if (!reply.isAbroad || reply.status === 200) return reply;
  // What a CDN makes of a HEAD is not the registry's word.
  discardBody(reply);
  throw statusError(reply, uplink.clock.now());
}

/** The word of the anonymous token, which no pull budget is spent on; undefined when it does not tell, or is not to be had now. */
async function grantOf({ authorizer, endpoints }: Uplink, repository: string): Promise<Grant | undefined> {
  let grant: Grant | undefined;
  for (const endpoint of endpoints.order) {
    const place = {
      url: new URL(endpoint),
      repository: repositoryAt(endpoint, repository),
      credentials: undefined,
      isEndpoint: true,
    };
    grant = (await authorizer.grantOf(place).catch(() => undefined)) ?? grant;
    if (grant === "granted") return grant;
  }
  return grant;
}
