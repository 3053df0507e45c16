/**
 * Owns how a manifest is answered: exact bytes, the headers that each client insists on, conditions. Range means nothing
 * here (docs/protocol.md#ranges).
 */
import type { ManifestHeadAnswer, ManifestAsk as MirrorAsk } from "../../mirror/mirror.ts";
import { encodedOf } from "../../oci/digest.ts";
import type { ManifestTarget } from "../../routing/target.ts";
import { formatEntityTag, matchesAny } from "../answers/entity-tag.ts";
import { type HeaderList, respond, respondEmpty } from "../answers/respond.ts";
import type { Exchange } from "../exchange.ts";
import { parseAccept } from "./accept-header.ts";

export async function answerManifest(exchange: Exchange, target: ManifestTarget): Promise<void> {
  const { incoming, outgoing, mirror, account } = exchange;
  const ask: MirrorAsk = { ...exchange.asker, accept: parseAccept(incoming.headers.accept) };
  const condition = incoming.headers["if-none-match"];
  if (incoming.method === "HEAD" || condition !== undefined) {
    const head = await mirror.headManifest(target, ask);
    const isHead = incoming.method === "HEAD";
    if (matchesAny(condition, head.digest)) return respondNotModified(exchange, head);
    if (isHead) return respondHead(exchange, head);
  }
  const answer = await mirror.manifest(target, ask);
  const { bytes, digest, mediaType } = answer.manifest;
  account.outcome = answer.outcome;
  account.bytes = bytes.byteLength;
  const { outcome, warning, ageMs } = answer;
  const headers = withIdentity(exchange, { digest, mediaType, outcome, warning, ageMs });
  headers.push("Content-Type", mediaType);
  respond(outgoing, 200, headers, bytes);
}

function respondNotModified(exchange: Exchange, head: ManifestHeadAnswer): void {
  exchange.account.outcome = head.outcome;
  respondEmpty(exchange.outgoing, 304, withIdentity(exchange, head));
}

function respondHead(exchange: Exchange, head: ManifestHeadAnswer): void {
  exchange.account.outcome = head.outcome;
  const headers = withIdentity(exchange, head);
  headers.push("Content-Type", head.mediaType, "Content-Length", String(head.size));
  respondEmpty(exchange.outgoing, 200, headers);
}

function withIdentity({ isOllama, headers }: Exchange, head: Omit<ManifestHeadAnswer, "size">): HeaderList {
  const { digest, outcome, warning, ageMs } = head;
  headers.push("Docker-Content-Digest", digest, "ETag", formatEntityTag(digest));
  headers.push("X-Cache", outcome.toUpperCase(), "Age", String(Math.max(0, Math.floor(ageMs / 1000))));
  if (isOllama) headers.push("Ollama-Content-Digest", encodedOf(digest));
  if (warning !== undefined) headers.push("Warning", formatWarning(warning));
  return headers;
}

/** Some clients and proxies give up on headers of several KiB, and this one says less than most. */
const MAX_WARNING = 500;

/**
 * RFC 7234, 5.5: 299 is "miscellaneous persistent warning"; clients print the text (docs/protocol.md#warnings). Always a complete quoted
 * string of printable ASCII: an escape that is cut in two would open the quotes again.
 */
export function formatWarning(text: string): string {
  const plain = text.slice(0, MAX_WARNING).replace(/[^\x20-\x7e]/g, " ");
  const shown = text.length > MAX_WARNING ? `${plain.slice(0, -3)}...` : plain;
  return `299 - "${shown.replace(/["\\]/g, "\\$&")}"`;
}
