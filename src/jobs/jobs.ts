/**
 * Owns all jobs of a process: it begins, lists and stops them, refuses those that contradict each other, stores them, and goes on after a
 * restart with those that can. It knows no kind of work: kinds are registered by the rooms that they belong to. A disk that takes no writes
 * stops no job.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { JobRows } from "../metadata/job-rows.ts";
import type { Clock, Timer } from "../observe/clock.ts";
import { Episodes } from "../observe/episodes.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import type { EventTeller } from "../records/events.ts";
import { within } from "../waiting/deadline.ts";
import { type JobRecord, NO_PROGRESS } from "./job.ts";
import { bodyOf, JobHistory, recordOf, type StoredJob } from "./job-history.ts";
import type { JobKind } from "./job-kind.ts";
import { jsonBytesOf, MOST_JSON_BYTES, RunningJob } from "./running-job.ts";

export type JobsParts = {
  readonly rows: JobRows;
  /** Hears of each job that begins or ends. */
  readonly events: EventTeller;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Pick<Metrics, "jobs" | "jobsEnded">;
};

/** At one moment. */
const MOST_RUNNING = 16;
/** A job that ends the process each time it goes on must not do so for ever. */
const MOST_RESUMES = 5;
const SAVE_MS = 5_000;
const TITLE_CHARACTERS = 200;

const STOPPED = "Somebody stopped it.";
const CLOSED = "Granary was stopped while it ran, and it cannot go on where it was.";
const GAVE_UP = `Granary ended ${MOST_RESUMES} times while it ran, without being stopped: it was not begun again.`;

export class Jobs {
  readonly #parts: JobsParts;
  readonly #kinds = new Map<string, JobKind<unknown>>();
  readonly #running = new Map<number, RunningJob>();
  readonly #history = new JobHistory();
  /** Ended, and not written yet. */
  readonly #unsaved = new Map<number, JobRecord>();
  readonly #troubles: Episodes;
  #lastId = 0;
  #timer: Timer | undefined;
  #isClosing = false;

  constructor(parts: JobsParts) {
    this.#parts = parts;
    this.#troubles = new Episodes(parts.log, parts.clock, Number.POSITIVE_INFINITY);
  }

  /** Before `open`, so that its jobs can go on. Each name once. */
  register<Input>(kind: JobKind<Input>): void {
    if (this.#kinds.has(kind.name)) throw new Error(`The job kind ${kind.name} is registered twice.`);
    this.#kinds.set(kind.name, kind as JobKind<unknown>);
    const { jobs, jobsEnded } = this.#parts.metrics;
    jobs.inc({ kind: kind.name }, 0);
    for (const state of ["done", "failed", "stopped"]) jobsEnded.inc({ kind: kind.name, state }, 0);
  }

  /** Reads what is stored and goes on with what ran. Never rejects: without the rows there is no history, and jobs can be begun all the same. */
  async open(): Promise<void> {
    try {
      const rows = await this.#parts.rows.jobs();
      this.#lastId = Math.max(this.#lastId, ...rows.map(({ id }) => id));
      const stored = rows.flatMap(({ id, body }) => this.#readable(id, body));
      for (const { record } of stored) if (record.state !== "running") this.#history.add(record);
      for (const job of stored) if (job.record.state === "running") this.#resume(job);
    } catch (error) {
      this.#parts.log.warn({ reason: messageOf(error) }, "the history of jobs could not be read");
      // Nobody knows which ids are taken: none of them is as large as a date.
      this.#lastId = Math.floor(this.#parts.clock.now() / 1_000);
    }
    this.#saveLater();
  }

  /**
   * Begins a job and returns at once. `title` says to people what it does. Throws `conflict` (it contradicts a running job, or too many run),
   * `config-invalid` (no such kind, or an input that is too large), `closed`, and what the kind says of an input that it cannot use.
   */
  start(kind: string, input: unknown, title: string): JobRecord {
    if (this.#isClosing) throw new GranaryError("closed", "Granary is shutting down.");
    const found = this.#kindOf(kind);
    const parsed = found.parse(input);
    this.#refuseTooMuch(input);
    const contradiction = found.contradicts?.(parsed, this.running());
    if (contradiction !== undefined) throw new GranaryError("conflict", contradiction);
    const record: JobRecord = {
      ...{ id: ++this.#lastId, kind, title: title.slice(0, TITLE_CHARACTERS), state: "running", input },
      ...{ startedAt: this.#parts.clock.now(), progress: NO_PROGRESS, notes: [], resumes: 0 },
    };
    this.#begin(found, parsed, new RunningJob(record));
    return record;
  }

  /** Asks it to stop, and does not wait for that. Throws `not-found`, `conflict` when it has ended already. */
  stop(id: number): JobRecord {
    const job = this.#running.get(id);
    if (job === undefined) {
      const { title, state } = this.get(id);
      throw new GranaryError("conflict", `Job ${id} (${title}) has ended already: ${state}.`);
    }
    job.stop(STOPPED);
    return job.record;
  }

  /** Throws `not-found`. */
  get(id: number): JobRecord {
    const found = this.#running.get(id)?.record ?? this.#history.get(id);
    if (found !== undefined) return found;
    const text = `There is no job ${id}: it was never begun, or it ended so long ago that it is forgotten.`;
    throw new GranaryError("not-found", text);
  }

  /** All that run and all that are remembered, the newest first. */
  list(): readonly JobRecord[] {
    return [...this.running(), ...this.#history.records].sort((a, b) => b.id - a.id);
  }

  running(): readonly JobRecord[] {
    return [...this.#running.values()].map(({ record }) => record);
  }

  /** The record once the job has ended. Throws `not-found`. */
  async ended(id: number): Promise<JobRecord> {
    await this.#running.get(id)?.ended;
    return this.get(id);
  }

  /** Ends all jobs and stores them: those that can go on do so at the next start. Never rejects. Idempotent. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosing = true;
    this.#timer?.cancel();
    const running = [...this.#running.values()];
    for (const job of running) {
      if (this.#kinds.get(job.record.kind)?.canResume === true) job.pause();
      else job.stop(CLOSED);
    }
    await within(Promise.all(running.map(({ ended }) => ended)), deadlineMs, this.#parts.clock);
    await this.#save();
  }

  #kindOf(name: string): JobKind<unknown> {
    const kind = this.#kinds.get(name);
    if (kind !== undefined) return kind;
    const known = [...this.#kinds.keys()].join(", ");
    throw new GranaryError("config-invalid", `There are no jobs of the kind "${name}"; there are: ${known}.`);
  }

  #refuseTooMuch(input: unknown): void {
    const bytes = jsonBytesOf(input);
    if (bytes > MOST_JSON_BYTES) {
      const text = `A job takes at most ${MOST_JSON_BYTES} bytes, and this one was given ${bytes}: split it into several.`;
      throw new GranaryError("config-invalid", text);
    }
    if (this.#running.size < MOST_RUNNING) return;
    const ids = [...this.#running.keys()].join(", ");
    const text = `${MOST_RUNNING} jobs run already (${ids}): wait for one to end, or stop one.`;
    throw new GranaryError("conflict", text);
  }

  #readable(id: number, body: string): readonly StoredJob[] {
    const stored = recordOf(id, body);
    if (stored !== undefined) return [stored];
    this.#history.forgotten.add(id);
    return [];
  }

  #resume({ record, remembered }: StoredJob): void {
    const job = new RunningJob({ ...record, resumes: record.resumes + 1 }, remembered);
    try {
      const kind = this.#kindOf(record.kind);
      if (!kind.canResume) throw new GranaryError("closed", CLOSED);
      if (record.resumes >= MOST_RESUMES) throw new GranaryError("closed", GAVE_UP);
      this.#begin(kind, kind.parse(record.input), job);
    } catch (error) {
      const reason = messageOf(error);
      this.#end({ ...record, state: "failed", reason, endedAt: this.#parts.clock.now() });
    }
  }

  #begin(kind: JobKind<unknown>, input: unknown, job: RunningJob): void {
    const { record } = job;
    this.#running.set(record.id, job);
    this.#parts.metrics.jobs.inc({ kind: record.kind });
    const again = record.resumes > 0 ? " again" : "";
    this.#tell("job-begun", record, `Job ${record.id} began${again}: ${record.title}.`);
    job.ended = this.#run(kind, input, job);
    this.#saveLater(0);
  }

  async #run(kind: JobKind<unknown>, input: unknown, job: RunningJob): Promise<void> {
    // After `start` has returned: the caller knows the job before it can end.
    await Promise.resolve();
    const record = await job.run(
      () => kind.work(input, job.controls),
      () => this.#parts.clock.now(),
    );
    if (record === undefined) return;
    this.#running.delete(record.id);
    this.#parts.metrics.jobs.dec({ kind: record.kind });
    this.#end(record);
  }

  #end(record: JobRecord): void {
    this.#history.add(record);
    this.#unsaved.set(record.id, record);
    this.#parts.metrics.jobsEnded.inc({ kind: record.kind, state: record.state });
    const why = record.reason === undefined ? "" : ` ${record.reason}`;
    this.#tell("job-ended", record, `Job ${record.id} is ${record.state}: ${record.title}.${why}`);
    this.#saveLater(0);
  }

  #tell(kind: "job-begun" | "job-ended", record: JobRecord, text: string): void {
    const { id, kind: of, state, code, reason } = record;
    this.#parts.log.info({ job: id, kind: of, state }, text);
    this.#parts.events.tell(kind, text, { job: id, kind: of, state, code, reason });
  }

  #saveLater(ms = SAVE_MS): void {
    if (this.#isClosing) return;
    this.#timer?.cancel();
    this.#timer = this.#parts.clock.after(ms, () => void this.#saveInTurn());
  }

  async #saveInTurn(): Promise<void> {
    await this.#save();
    if (this.#running.size > 0 || this.#unsaved.size > 0) this.#saveLater();
  }

  /** What could not be written stays to be written. Never rejects. */
  async #save(): Promise<void> {
    const changed = [...this.#running.values()].filter(({ isChanged }) => isChanged);
    const ended = [...this.#unsaved.values()];
    const forgotten = [...this.#history.forgotten];
    if (changed.length + ended.length + forgotten.length === 0) return;
    const bodies = changed.map(({ record, remembered }) => ({ record, remembered }));
    for (const job of changed) job.isChanged = false;
    const rows = [...bodies, ...ended.map((record) => ({ record }))];
    try {
      await this.#parts.rows.writeJobs(
        rows.map((job) => ({ id: job.record.id, body: bodyOf(job) })),
        forgotten,
      );
      for (const record of ended)
        if (this.#unsaved.get(record.id) === record) this.#unsaved.delete(record.id);
      for (const id of forgotten) this.#history.forgotten.delete(id);
      this.#troubles.over("jobs");
    } catch (error) {
      for (const job of changed) job.isChanged = true;
      this.#troubles.trouble("jobs", { reason: messageOf(error) }, "jobs could not be stored: trying again");
    }
  }
}
