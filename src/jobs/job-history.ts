/**
 * Owns what is remembered of jobs that have ended, bounded in number and in bytes, and the text in which jobs are stored. What a database
 * says of a job is read as carefully as any other input.
 */
import { isErrorCode } from "../errors.ts";
import { asObject, objects, sizeOf, textOf } from "../oci/json-value.ts";
import { type JobAmount, type JobProgress, type JobRecord, type JobState, NO_PROGRESS } from "./job.ts";

const MOST_RECORDS = 200;
const MOST_BYTES = 8 * 1024 * 1024;

const STATES: readonly JobState[] = ["running", "done", "failed", "stopped"];

/** A job as the database has it. */
export type StoredJob = { readonly record: JobRecord; readonly remembered?: unknown };

export class JobHistory {
  /** With the bytes that each takes. */
  readonly #records = new Map<number, { readonly record: JobRecord; readonly bytes: number }>();
  #bytes = 0;
  /** Ids that were remembered and are not any more: whoever stores the history deletes them. */
  readonly forgotten = new Set<number>();

  get records(): readonly JobRecord[] {
    return [...this.#records.values()].map(({ record }) => record);
  }

  get(id: number): JobRecord | undefined {
    return this.#records.get(id)?.record;
  }

  /** The oldest give way. */
  add(record: JobRecord): void {
    const bytes = bodyOf({ record }).length;
    this.#remove(record.id);
    this.#records.set(record.id, { record, bytes });
    this.#bytes += bytes;
    while (this.#records.size > 1 && (this.#records.size > MOST_RECORDS || this.#bytes > MOST_BYTES)) {
      const oldest = Math.min(...this.#records.keys());
      this.#remove(oldest);
      this.forgotten.add(oldest);
    }
  }

  #remove(id: number): void {
    this.#bytes -= this.#records.get(id)?.bytes ?? 0;
    this.#records.delete(id);
  }
}

/** The text that is stored of a job. */
export function bodyOf(job: StoredJob): string {
  return JSON.stringify(job);
}

/** What `body` says of job `id`; undefined when it is not what bodyOf wrote. */
export function recordOf(id: number, body: string): StoredJob | undefined {
  const stored = asObject(parsed(body));
  const record = asObject(stored?.record);
  const state = STATES.find((one) => one === record?.state);
  const [kind, title, startedAt] = [textOf(record?.kind), textOf(record?.title), sizeOf(record?.startedAt)];
  if (record === undefined || state === undefined || kind === undefined) return undefined;
  if (title === undefined || startedAt === undefined) return undefined;
  const [endedAt, reason] = [sizeOf(record.endedAt), textOf(record.reason)];
  const said: JobRecord = {
    ...{ id, kind, title, state, startedAt, input: record.input },
    progress: progressOf(record.progress),
    notes: Array.isArray(record.notes) ? record.notes.filter((note) => typeof note === "string") : [],
    resumes: sizeOf(record.resumes) ?? 0,
    ...(endedAt !== undefined && { endedAt }),
    ...(reason !== undefined && { reason }),
    ...(isErrorCode(record.code) && { code: record.code }),
    ...(record.result !== undefined && { result: record.result }),
  };
  return { record: said, ...(stored?.remembered !== undefined && { remembered: stored.remembered }) };
}

function progressOf(value: unknown): JobProgress {
  const [bytes, things] = objects([asObject(value)?.bytes, asObject(value)?.things]).map(amountOf);
  return { bytes: bytes ?? NO_PROGRESS.bytes, things: things ?? NO_PROGRESS.things };
}

function amountOf({ done, total }: Readonly<Record<string, unknown>>): JobAmount {
  return { done: sizeOf(done) ?? 0, total: sizeOf(total) ?? 0 };
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined; // The row is skipped: a history is not worth a failing start.
  }
}
