/**
 * Owns how a manifest is answered: exact bytes, the headers that each client insists on, conditions. Range means nothing
 * here (docs/protocol.md#ranges).
 */
import type { ManifestAsker, ManifestHeadAnswer, Mirror } from "../../mirror/mirror.ts";
import { encodedOf } from "../../oci/digest.ts";
import type { ManifestTarget } from "../../routing/target.ts";
import { formatEntityTag, matchesAny } from "../answers/entity-tag.ts";
import { formatWarning, type HeaderList, respond, respondEmpty } from "../answers/respond.ts";
import { parseAccept } from "./accept-header.ts";
import type { RegistryRequest } from "./registry-request.ts";

export async function answerManifest(request: RegistryRequest, target: ManifestTarget): Promise<void> {
  const { incoming, mirror, account } = request;
  const ask: ManifestAsker = { ...request.asker, accept: parseAccept(incoming.headers.accept) };
  const condition = incoming.headers["if-none-match"];
  if (incoming.method === "HEAD" || condition !== undefined) {
    const head = headAtOnce(mirror, target, ask) ?? (await mirror.headManifest(target, ask));
    const isHead = incoming.method === "HEAD";
    if (matchesAny(condition, head.digest)) return respondNotModified(request, head);
    if (isHead) return respondHead(request, head);
  }
  const answer = mirror.manifestAtOnce(target, ask, false) ?? (await mirror.manifest(target, ask));
  const { bytes, digest, mediaType } = answer.manifest;
  account.outcome = answer.outcome;
  account.record?.found(answer.manifest);
  const { outcome, warning, ageMs } = answer;
  const headers = withIdentity(request, { digest, mediaType, outcome, warning, ageMs });
  headers.push("Content-Type", mediaType);
  respond(request, 200, headers, bytes);
}

function headAtOnce(
  mirror: Mirror,
  target: ManifestTarget,
  ask: ManifestAsker,
): ManifestHeadAnswer | undefined {
  const found = mirror.manifestAtOnce(target, ask, true);
  if (found === undefined) return undefined;
  const { manifest, ...answer } = found;
  const { digest, mediaType, bytes } = manifest;
  return { ...answer, digest, mediaType, size: bytes.length };
}

function respondNotModified(request: RegistryRequest, head: ManifestHeadAnswer): void {
  request.account.record?.saw(head.digest);
  request.account.outcome = head.outcome;
  respondEmpty(request, 304, withIdentity(request, head));
}

function respondHead(request: RegistryRequest, head: ManifestHeadAnswer): void {
  request.account.record?.saw(head.digest);
  request.account.outcome = head.outcome;
  const headers = withIdentity(request, head);
  headers.push("Content-Type", head.mediaType, "Content-Length", String(head.size));
  respondEmpty(request, 200, headers);
}

/** The headers by which clients know the manifest, also of one that they have already. */
export function withIdentity(
  { isOllama, headers }: Pick<RegistryRequest, "isOllama" | "headers">,
  head: Omit<ManifestHeadAnswer, "size">,
): HeaderList {
  const { digest, outcome, warning, ageMs } = head;
  headers.push("Docker-Content-Digest", digest, "ETag", formatEntityTag(digest));
  headers.push("X-Cache", outcome.toUpperCase(), "Age", String(Math.max(0, Math.floor(ageMs / 1000))));
  if (isOllama) headers.push("Ollama-Content-Digest", encodedOf(digest));
  if (warning !== undefined) headers.push("Warning", formatWarning(warning));
  return headers;
}
