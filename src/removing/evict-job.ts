/**
 * Owns the job kind "evict": room is made by hand, a part of it after the other, until so many bytes came free, nothing is left that may go, or
 * somebody stops it. After a restart it goes on with the rest. In which order things go is the Mirror's.
 */
import { formatBytes } from "../bytes/units.ts";
import { contradictionOf } from "../contradictions.ts";
import { GranaryError } from "../errors.ts";
import type { JobControls, JobKind } from "../jobs/job-kind.ts";
import { asObject, sizeOf } from "../oci/json-value.ts";
import type { RemovingParts } from "./remove-job.ts";

export const EVICT_JOB = "evict";

type EvictAsk = { readonly free: number };

export function evictJob({ removals, upstreams }: RemovingParts): JobKind<EvictAsk> {
  return {
    name: EVICT_JOB,
    canResume: true,
    parse: (input) => {
      const free = sizeOf(asObject(input)?.free);
      if (free !== undefined) return { free };
      throw new GranaryError("config-invalid", "An eviction needs to know how many bytes are to come free.");
    },
    contradicts: (input, running) => contradictionOf({ kind: EVICT_JOB, input }, running, upstreams()),
    work: (ask, controls) => evict(removals, ask, controls),
  };
}

export function titleOfEvict({ free }: EvictAsk): string {
  return `make room: ${formatBytes(free)}`;
}

async function evict(
  removals: RemovingParts["removals"],
  { free }: EvictAsk,
  { signal, progress, remember, remembered }: JobControls,
) {
  const place = asObject(remembered);
  const before = { bytes: sizeOf(place?.bytes) ?? 0, things: sizeOf(place?.things) ?? 0 };
  const done = { ...before };
  await removals.evictMuch(Math.max(0, free - before.bytes), signal, (went, expected) => {
    done.bytes = before.bytes + went.bytes;
    done.things = before.things + went.things;
    remember({ ...done });
    const things = { done: done.things, total: Math.max(done.things, before.things + expected) };
    progress({ bytes: { done: done.bytes, total: Math.max(free, done.bytes) }, things });
  });
  return { freed: done.bytes, things: done.things, isLess: done.bytes < free };
}
