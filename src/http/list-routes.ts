/** Owns how the two lists are answered: tags with their paging, and referrers as an OCI index, always as JSON (H59-H61). */
import type { ReferrersTarget, TagsTarget } from "../mirror/target.ts";
import { OCI_INDEX } from "../oci/media-types.ts";
import type { Exchange } from "./exchange.ts";
import { formatWarning } from "./manifest-route.ts";
import { ownUrl } from "./own-url.ts";
import { type HeaderList, respondJson } from "./respond.ts";

export async function answerTags(exchange: Exchange, target: TagsTarget): Promise<void> {
  const { body, next, outcome, warning } = await exchange.mirror.tags(target, exchange.asker);
  const headers: HeaderList = [];
  if (next !== undefined) headers.push("Link", `<${ownUrl(exchange, next)}>; rel="next"`);
  if (warning !== undefined) headers.push("Warning", formatWarning(warning));
  send(exchange, body, outcome, headers, "application/json");
}

export async function answerReferrers(exchange: Exchange, target: ReferrersTarget): Promise<void> {
  const { body, filtered, outcome } = await exchange.mirror.referrers(target, exchange.asker);
  send(exchange, body, outcome, filtered ? ["OCI-Filters-Applied", "artifactType"] : [], OCI_INDEX);
}

function send(
  { outgoing, incoming, account, common }: Exchange,
  body: string,
  outcome: NonNullable<Exchange["account"]["outcome"]>,
  headers: HeaderList,
  contentType: string,
): void {
  account.outcome = outcome;
  if (incoming.method !== "HEAD") account.bytes = Buffer.byteLength(body);
  respondJson(outgoing, 200, body, [...common, ...headers, "X-Cache", outcome.toUpperCase()], contentType);
}
