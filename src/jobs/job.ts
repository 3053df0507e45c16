/**
 * Owns what a Job is to those who look at it: long work with progress, a result and a way to stop it. It says nothing of how the work is
 * done (job-kind.ts), and of nothing that is not plain data.
 */
import type { ErrorCode } from "../errors.ts";

/** `stopped`: somebody stopped it, or Granary was stopped and the work cannot go on later. */
export type JobState = "running" | "done" | "failed" | "stopped";

/** How far something is. `total` is 0 while nobody knows it. */
export type JobAmount = { readonly done: number; readonly total: number };

/** `things` are what the job counts: references, blobs, files. */
export type JobProgress = { readonly bytes: JobAmount; readonly things: JobAmount };

export type JobRecord = {
  /** Counts up; never used twice. */
  readonly id: number;
  readonly kind: string;
  /** What it does, for people: "warm alpine:3.22". */
  readonly title: string;
  readonly state: JobState;
  /** What it was started with, as JSON has it. */
  readonly input: unknown;
  /** Epoch ms. */
  readonly startedAt: number;
  /** Epoch ms; absent while it runs. */
  readonly endedAt?: number;
  readonly progress: JobProgress;
  /** The last lines that it said, the newest last. */
  readonly notes: readonly string[];
  /** How often in a row it went on after Granary had ended without stopping it. */
  readonly resumes: number;
  /** What came of it, as JSON has it; a stopped job may have the part that it had done. */
  readonly result?: unknown;
  /** Why it failed or was stopped: a sentence. */
  readonly reason?: string;
  /** Which kind of failure. */
  readonly code?: ErrorCode;
};

export const NO_PROGRESS: JobProgress = { bytes: { done: 0, total: 0 }, things: { done: 0, total: 0 } };
