/** Owns how long a stored tag is believed before it is asked for again. Pure. */
import { type Digest, isDigest } from "../../oci/digest.ts";
import type { UpstreamClient } from "../../upstream/upstream-client.ts";

/** Below this share of the pull budget, tags live longer (docs/protocol.md#docker-hub-rate-limits). */
const LOW_BUDGET = 0.1;
const STRETCH = 6;
/** Where signatures and their like are attached to a digest: such a tag grows at any time (docs/protocol.md#signatures). */
const ATTACHMENT = /^sha(?:256|512)-[0-9a-f]{64,}(?:\.[a-z]+)?$/;

/** The digest that such a tag is attached to; undefined for other tags. */
export function subjectOf(tag: string): Digest | undefined {
  if (!ATTACHMENT.test(tag)) return undefined;
  const text = tag.replace("-", ":").replace(/\..*$/, "");
  return isDigest(text) ? text : undefined;
}

/** In milliseconds. */
export function lifetimeOf(tag: string, client: UpstreamClient): number {
  const { tagLifetimeMs, negativeLifetimeMs } = client.upstream.policy;
  // Such a tag says which signatures there are, so what it does not list counts as "not there", and is believed no longer than that.
  if (ATTACHMENT.test(tag)) return Math.min(tagLifetimeMs, negativeLifetimeMs);
  const budget = client.status().rateLimit;
  const isLow = budget !== undefined && budget.remaining < budget.limit * LOW_BUDGET;
  return tagLifetimeMs * (isLow ? STRETCH : 1);
}
