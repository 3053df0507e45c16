/**
 * Owns how the two lists are answered: tags with their paging, and referrers as an OCI index, always as JSON
 * (docs/protocol.md#tag-lists, docs/protocol.md#referrers).
 */
import type { TagsAnswer } from "../../mirror/mirror.ts";
import { OCI_INDEX } from "../../oci/media-types.ts";
import type { ReferrersTarget, TagsTarget } from "../../routing/target.ts";
import { formatWarning, respond } from "../answers/respond.ts";
import { ownUrl, type RegistryRequest } from "./registry-request.ts";

export async function answerTags(request: RegistryRequest, target: TagsTarget): Promise<void> {
  const answer = await request.mirror.tags(target, request.asker);
  if (answer.next !== undefined)
    request.headers.push("Link", `<${ownUrl(request, answer.next)}>; rel="next"`);
  send(request, answer, "application/json");
}

export async function answerReferrers(request: RegistryRequest, target: ReferrersTarget): Promise<void> {
  const answer = await request.mirror.referrers(target, request.asker);
  if (answer.filtered) request.headers.push("OCI-Filters-Applied", "artifactType");
  send(request, answer, OCI_INDEX);
}

/** The list stays in memory until the client has it, or is gone. */
function send(
  request: RegistryRequest,
  { body, release, outcome, warning }: Omit<TagsAnswer, "next">,
  contentType: string,
): void {
  const { outgoing, account, headers } = request;
  if (outgoing.destroyed || outgoing.closed) release();
  else outgoing.once("close", release);
  account.outcome = outcome;
  headers.push("Content-Type", contentType, "X-Cache", outcome.toUpperCase());
  if (warning !== undefined) headers.push("Warning", formatWarning(warning));
  respond(request, 200, headers, body);
}
