/**
 * Owns the questions about manifests: HEAD, and GET with a limit. It reads headers as they are; digests and types are checked by its callers.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Identity } from "../../oci/credentials.ts";
import { MAX_MANIFEST_BYTES } from "../../oci/manifest.ts";
import { identify } from "../identity/identity.ts";
import { hiddenError, statusError } from "../network/answer-error.ts";
import type { At } from "../network/caller.ts";
import { parseContentLength, parseDigestHeader, parseMediaType } from "../network/headers.ts";
import { discardBody, readLimited } from "../network/read-body.ts";
import { readRefusal, wordsOf } from "../network/refusal.ts";
import { manifestUrl, repositoryAt } from "../registry-url.ts";
import type { ManifestAsk, ManifestBody, UncheckedHead } from "../upstream-client.ts";
import type { Uplink } from "./ask-registry.ts";
import { askRegistry, type Reply } from "./ask-registry.ts";

/** How much of a 412 is shown to the person who pulls, bytes. */
const MAX_TEXT_BYTES = 4096;

/** Called with the headers of each manifest answer, which tell the pull budget. */
type OnHeaders = (headers: IncomingHttpHeaders) => void;

/** How registries answer a HEAD that they do not support, though they would answer a GET. */
export const HEADLESS: readonly number[] = [400, 405, 406, 410, 451, 500, 501];

/** One HEAD; a GET as well when the registry does not support HEAD, so that this does not fail where a GET would succeed. */
export async function headManifest(
  uplink: Uplink,
  ask: ManifestAsk,
  at: At,
  onHeaders: OnHeaders,
): Promise<UncheckedHead | undefined> {
  const reply = await askManifest(uplink, ask, "HEAD", await identityOf(uplink, ask, at), at);
  onHeaders(reply.headers);
  if (HEADLESS.includes(reply.status)) {
    discardBody(reply);
    return getManifest(uplink, ask, at, onHeaders);
  }
  if (await isAbsent(uplink, ask, reply, at)) return undefined;
  discardBody(reply);
  return readHead(reply);
}

export async function getManifest(
  uplink: Uplink,
  ask: ManifestAsk,
  at: At,
  onHeaders: OnHeaders,
): Promise<ManifestBody | undefined> {
  const reply = await askManifest(uplink, ask, "GET", await identityOf(uplink, ask, at), at);
  onHeaders(reply.headers);
  if (await isAbsent(uplink, ask, reply, at)) return undefined;
  const bytes = await readLimited(reply, MAX_MANIFEST_BYTES, at.signal);
  uplink.metrics.upstreamBytes.inc({ upstream: uplink.upstream.name, kind: "manifest" }, bytes.length);
  uplink.onFetched(ask.repository, bytes.length);
  return { ...readHead(reply), bytes };
}

function identityOf({ upstream }: Uplink, { repository }: ManifestAsk, at: At): Promise<Identity> {
  return identify(upstream, repository, at);
}

/** The caller reads the body or discards it. */
export function askManifest(
  uplink: Uplink,
  { repository, reference, accept, userAgent }: ManifestAsk,
  method: "GET" | "HEAD",
  identity: Identity,
  { endpoint, signal, onAbroad }: At,
): Promise<Reply> {
  const forwards = uplink.upstream.forwardUserAgent && userAgent !== undefined;
  const headers = { accept: accept.join(", "), ...(forwards && { "user-agent": userAgent }) };
  const url = manifestUrl(endpoint, repository, reference);
  return askRegistry(uplink, {
    kind: "manifest",
    method,
    url,
    headers,
    repository: repositoryAt(endpoint, repository),
    identity,
    signal,
    onAbroad,
  });
}

/**
 * False for 200, true for 404; throws for all else: 401 after a fresh token is "absent or private"
 * (docs/protocol.md#docker-hub-absent-repositories), which is no 404.
 */
async function isAbsent(
  { clock }: Uplink,
  { onAbsent }: ManifestAsk,
  reply: Reply,
  { signal }: At,
): Promise<boolean> {
  const { status } = reply;
  if (status === 200) return false;
  if (status === 412) {
    const text = await readLimited(reply, MAX_TEXT_BYTES, signal);
    throw statusError(reply, clock.now(), { text: text.toString("utf8").trim() });
  }
  if (status !== 404 && status !== 401) throw await readRefusal(reply, clock);
  const told = await wordsOf(reply, clock);
  if (status === 401) throw hiddenError(reply, told);
  onAbsent?.(told);
  return true;
}

/** What the headers tell, unchecked. */
export function readHead({ headers }: Pick<Reply, "headers">): UncheckedHead {
  return {
    digest: parseDigestHeader(headers),
    mediaType: parseMediaType(headers["content-type"]),
    size: parseContentLength(headers["content-length"]),
  };
}
