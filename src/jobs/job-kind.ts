/** Owns the port by which a room gives its long work to Jobs: what the work is called, what it takes, and what it is told while it runs. */
import type { JobProgress, JobRecord } from "./job.ts";

/** What a running job is given. */
export type JobControls = {
  /** Aborts when somebody stops the job, or Granary ends. The work then ends soon: it returns what it has done so far, or throws. */
  readonly signal: AbortSignal;
  /** Cheap: call it as often as there is news. */
  readonly progress: (progress: JobProgress) => void;
  /** A line for whoever follows the job. The last few are kept. */
  readonly note: (text: string) => void;
  /** What `remember` was given last before Granary ended; undefined at the first start. Came from disk: to be checked as any input. */
  readonly remembered: unknown;
  /** Where to go on after a restart, as JSON has it. Larger than 512 KiB it is not kept. */
  readonly remember: (place: unknown) => void;
};

/** Long work of one kind. */
export type JobKind<Input> = {
  /** A word: "warm", "verify". */
  readonly name: string;
  /** Checks what a person, a schedule or the database gives. Throws GranaryErrors that say what is wanted. */
  parse(input: unknown): Input;
  /** True when the work can go on after a restart: it is then begun again with the same input and what it remembered. */
  readonly canResume: boolean;
  /** Why it must not begin beside one of `running`: a sentence that names that job. Undefined when nothing speaks against it. */
  contradicts?(input: Input, running: readonly JobRecord[]): string | undefined;
  /** Returns the result, as JSON has it. What it throws is the reason that the job failed. */
  work(input: Input, controls: JobControls): Promise<unknown>;
};
