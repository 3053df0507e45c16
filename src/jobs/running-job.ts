/** Owns one job while its work runs: its record as it is now, and how it is asked to stop. When it is stored is decided in jobs.ts. */
import { GranaryError, isGranaryError, messageOf } from "../errors.ts";
import { visibleText } from "../observe/visible-text.ts";
import type { JobProgress, JobRecord } from "./job.ts";
import type { JobControls } from "./job-kind.ts";

const MOST_NOTES = 50;
const NOTE_CHARACTERS = 500;
const REASON_CHARACTERS = 2_000;
/** Of what a job is started with, of what it remembers, and of its result: each as JSON. */
export const MOST_JSON_BYTES = 512 * 1024;

/** How the work of a job ended. */
type JobEnd = Pick<JobRecord, "state"> & Partial<Pick<JobRecord, "result" | "reason" | "code">>;

export class RunningJob {
  #record: JobRecord;
  #remembered: unknown;
  #isPaused = false;
  readonly #stopping = new AbortController();
  /** Set when the record is not as it was stored last. */
  isChanged = true;
  /** Settles when the work has ended; never rejects. */
  ended: Promise<void> = Promise.resolve();

  constructor(record: JobRecord, remembered?: unknown) {
    this.#record = record;
    this.#remembered = remembered;
  }

  get record(): JobRecord {
    return this.#record;
  }

  get remembered(): unknown {
    return this.#remembered;
  }

  get controls(): JobControls {
    return {
      signal: this.#stopping.signal,
      progress: (progress) => this.#change({ progress: copyOf(progress) }),
      note: (text) => this.#note(text),
      remembered: this.#remembered,
      remember: (place) => this.#remember(place),
    };
  }

  /** `reason` is a sentence. */
  stop(reason: string): void {
    this.#stopping.abort(new GranaryError("aborted", reason));
  }

  /** Asks it to stop for now: it stays a running job, and goes on at the next start, which is then no sign of trouble. */
  pause(): void {
    this.#isPaused = true;
    this.#change({ resumes: 0 });
    this.stop("Granary stops.");
  }

  /** Does the work. The record at its end; undefined when the job was paused before it was done. */
  async run(work: () => Promise<unknown>, now: () => number): Promise<JobRecord | undefined> {
    const end = await this.#outcomeOf(work);
    if (this.#isPaused && end.state === "stopped") return undefined;
    this.#remembered = undefined;
    this.#change({ ...end, endedAt: now() });
    return this.#record;
  }

  async #outcomeOf(work: () => Promise<unknown>): Promise<JobEnd> {
    const { signal } = this.#stopping;
    try {
      const result = kept(await work());
      return signal.aborted ? { ...result, state: "stopped", reason: reasonOf(signal.reason) } : result;
    } catch (error) {
      if (signal.aborted) return { state: "stopped", reason: reasonOf(signal.reason) };
      return { state: "failed", reason: reasonOf(error), ...(isGranaryError(error) && { code: error.code }) };
    }
  }

  #note(text: string): void {
    const line = visibleText(text).slice(0, NOTE_CHARACTERS);
    this.#change({ notes: [...this.#record.notes, line].slice(-MOST_NOTES) });
  }

  #remember(place: unknown): void {
    if (jsonBytesOf(place) > MOST_JSON_BYTES) return;
    this.#remembered = place;
    this.isChanged = true;
  }

  #change(news: Partial<JobRecord>): void {
    this.#record = { ...this.#record, ...news };
    this.isChanged = true;
  }
}

/** The bytes of `value` as JSON. */
export function jsonBytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value) ?? "");
}

function kept(result: unknown): JobEnd {
  if (result === undefined) return { state: "done" };
  const bytes = jsonBytesOf(result);
  if (bytes <= MOST_JSON_BYTES) return { state: "done", result };
  return {
    state: "done",
    reason: `Its result is not kept: it has ${bytes} bytes, and ${MOST_JSON_BYTES} are kept.`,
  };
}

function reasonOf(error: unknown): string {
  return visibleText(messageOf(error)).slice(0, REASON_CHARACTERS);
}

/** Whoever reports progress may go on to change the object. */
function copyOf({ bytes, things }: JobProgress): JobProgress {
  return { bytes: { ...bytes }, things: { ...things } };
}
