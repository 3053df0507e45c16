/**
 * Owns the job kind "remove": what a pattern stands for leaves repository by repository, with its progress, until it is done or somebody stops it.
 * After a restart it goes on with what is left. What a removal means is Contents'.
 */

import { contradictionOf } from "../contradictions.ts";
import { GranaryError, isGranaryError } from "../errors.ts";
import type { JobControls, JobKind } from "../jobs/job-kind.ts";
import type { Contents } from "../mirror/contents/contents.ts";
import { asObject, sizeOf, textOf } from "../oci/json-value.ts";
import type { RoutedUpstream } from "../routing/routing.ts";

export const REMOVE_JOB = "remove";

export type RemoveAsk = {
  readonly pattern: string;
  /** ms. */
  readonly unusedForMs?: number;
  readonly force: boolean;
};

export type RemovingParts = {
  readonly removals: Pick<Contents, "removeMuch" | "evictMuch">;
  readonly upstreams: () => Iterable<RoutedUpstream>;
};

export function removeJob({ removals, upstreams }: RemovingParts): JobKind<RemoveAsk> {
  return {
    name: REMOVE_JOB,
    canResume: true,
    parse: parseAsk,
    contradicts: (input, running) => contradictionOf({ kind: REMOVE_JOB, input }, running, upstreams()),
    work: (ask, controls) => remove(removals, ask, controls),
  };
}

export function titleOfRemove({ pattern, unusedForMs }: RemoveAsk): string {
  return `remove ${pattern}${unusedForMs === undefined ? "" : ", what nobody used for long"}`;
}

function parseAsk(input: unknown): RemoveAsk {
  const fields = asObject(input);
  const [pattern, unusedForMs] = [textOf(fields?.pattern), sizeOf(fields?.unusedForMs)];
  if (pattern === undefined)
    throw new GranaryError("config-invalid", "A removal needs the pattern of what is to leave.");
  return { pattern, force: fields?.force === true, ...(unusedForMs !== undefined && { unusedForMs }) };
}

async function remove(
  removals: RemovingParts["removals"],
  { pattern, unusedForMs, force }: RemoveAsk,
  { signal, progress, remember, remembered }: JobControls,
) {
  const before = sumsOf(remembered);
  const sums = { ...before };
  try {
    const removed = await removals.removeMuch(
      pattern,
      { force, unusedForMs },
      {
        signal,
        onProgress: (done) => {
          for (const key of KEYS) sums[key] = before[key] + done.sums[key];
          remember({ ...sums });
          const bytes = { done: sums.freed, total: before.freed + done.bytes };
          progress({ bytes, things: { done: sums.repositories, total: before.repositories + done.things } });
        },
      },
    );
    for (const key of KEYS) sums[key] = before[key] + removed[key];
    return { ...removed, ...sums };
  } catch (error) {
    // Everything had left when the process ended.
    if (isGranaryError(error, "not-found") && before.names > 0) return { ...sums, kept: [], more: 0 };
    throw error;
  }
}

const KEYS = ["names", "repositories", "blobs", "freed", "later"] as const;

function sumsOf(remembered: unknown): Record<(typeof KEYS)[number], number> {
  const place = asObject(remembered);
  const of = (key: (typeof KEYS)[number]) => sizeOf(place?.[key]) ?? 0;
  return {
    names: of("names"),
    repositories: of("repositories"),
    blobs: of("blobs"),
    freed: of("freed"),
    later: of("later"),
  };
}
