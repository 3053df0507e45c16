/**
 * Owns how the two lists are answered: tags with their paging, and referrers as an OCI index, always as JSON
 * (docs/protocol.md#tag-lists, docs/protocol.md#referrers).
 */
import type { TagsAnswer } from "../../mirror/mirror.ts";
import { OCI_INDEX } from "../../oci/media-types.ts";
import type { ReferrersTarget, TagsTarget } from "../../routing/target.ts";
import { respond } from "../answers/respond.ts";
import type { Exchange } from "../exchange.ts";
import { formatWarning } from "./manifest-route.ts";
import { ownUrl } from "./own-url.ts";

export async function answerTags(exchange: Exchange, target: TagsTarget): Promise<void> {
  const answer = await exchange.mirror.tags(target, exchange.asker);
  if (answer.next !== undefined)
    exchange.headers.push("Link", `<${ownUrl(exchange, answer.next)}>; rel="next"`);
  send(exchange, answer, "application/json");
}

export async function answerReferrers(exchange: Exchange, target: ReferrersTarget): Promise<void> {
  const answer = await exchange.mirror.referrers(target, exchange.asker);
  if (answer.filtered) exchange.headers.push("OCI-Filters-Applied", "artifactType");
  send(exchange, answer, OCI_INDEX);
}

/** The bytes are in use until the client has them, or is gone. */
function send(
  { outgoing, incoming, account, headers }: Exchange,
  { body, release, outcome, warning }: Omit<TagsAnswer, "next">,
  contentType: string,
): void {
  if (outgoing.destroyed || outgoing.closed) release();
  else outgoing.once("close", release);
  account.outcome = outcome;
  if (incoming.method !== "HEAD") account.bytes = body.byteLength;
  headers.push("Content-Type", contentType, "X-Cache", outcome.toUpperCase());
  if (warning !== undefined) headers.push("Warning", formatWarning(warning));
  respond(outgoing, 200, headers, body);
}
