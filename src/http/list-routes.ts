/** Owns how the two lists are answered: tags with their paging, and referrers as an OCI index, always as JSON (H59-H61). */
import type { Outcome } from "../mirror/mirror.ts";
import type { ReferrersTarget, TagsTarget } from "../mirror/target.ts";
import { OCI_INDEX } from "../oci/media-types.ts";
import type { Exchange } from "./exchange.ts";
import { formatWarning } from "./manifest-route.ts";
import { ownUrl } from "./own-url.ts";
import { respond } from "./respond.ts";

export async function answerTags(exchange: Exchange, target: TagsTarget): Promise<void> {
  const { body, next, outcome, warning } = await exchange.mirror.tags(target, exchange.asker);
  const { headers } = exchange;
  if (next !== undefined) headers.push("Link", `<${ownUrl(exchange, next)}>; rel="next"`);
  if (warning !== undefined) headers.push("Warning", formatWarning(warning));
  send(exchange, body, outcome, "application/json");
}

export async function answerReferrers(exchange: Exchange, target: ReferrersTarget): Promise<void> {
  const { body, filtered, outcome } = await exchange.mirror.referrers(target, exchange.asker);
  if (filtered) exchange.headers.push("OCI-Filters-Applied", "artifactType");
  send(exchange, body, outcome, OCI_INDEX);
}

function send(
  { outgoing, incoming, account, headers }: Exchange,
  body: string,
  outcome: Outcome,
  contentType: string,
): void {
  account.outcome = outcome;
  if (incoming.method !== "HEAD") account.bytes = Buffer.byteLength(body);
  headers.push("Content-Type", contentType, "X-Cache", outcome.toUpperCase());
  respond(outgoing, 200, headers, body);
}
