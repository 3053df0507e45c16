/** Owns how long a stored tag is believed before it is asked for again. Pure. */
import { isAttachmentTag } from "../../oci/attachment.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";

/** Below this share of the pull budget, tags live longer (docs/protocol.md#docker-hub-rate-limits). */
const LOW_BUDGET = 0.1;
const STRETCH = 6;

/** In milliseconds. */
export function lifetimeOf(tag: string, client: UpstreamClient): number {
  const { tagLifetimeMs, negativeLifetimeMs } = client.upstream.policy;
  // Such a tag grows at any time (docs/protocol.md#signatures): what it does not list counts as "not there", and is believed no longer than that.
  if (isAttachmentTag(tag)) return Math.min(tagLifetimeMs, negativeLifetimeMs);
  const budget = client.pullBudget();
  const isLow = budget !== undefined && budget.remaining < budget.limit * LOW_BUDGET;
  return tagLifetimeMs * (isLow ? STRETCH : 1);
}
