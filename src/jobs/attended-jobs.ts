/**
 * Owns jobs that somebody attends while they run, because what they work on comes from that connection, or goes to it. They end with it, cannot
 * go on after a restart, and are begun by it alone. What they are and do is their owner's.
 */
import { GranaryError } from "../errors.ts";
import type { JobRecord } from "./job.ts";
import type { JobControls, JobKind } from "./job-kind.ts";
import type { Jobs } from "./jobs.ts";

type Ticket = { readonly ticket: number; readonly about: unknown };
type Attended = (controls: JobControls) => Promise<unknown>;

export class AttendedJobs {
  readonly #jobs: Jobs;
  readonly #name: string;
  readonly #waiting = new Map<number, Attended>();
  #last = 0;

  /** Registers the kind `name`. `contradicts` as in JobKind, of what `run` is told about the job. */
  constructor(
    jobs: Jobs,
    name: string,
    contradicts: (about: unknown, running: readonly JobRecord[]) => string | undefined = () => undefined,
  ) {
    this.#jobs = jobs;
    this.#name = name;
    const kind: JobKind<Ticket> = {
      name,
      canResume: false,
      parse: (input) => this.#parse(input),
      contradicts: ({ about }, running) => contradicts(about, running),
      work: async ({ ticket }, controls) => await this.#take(ticket)(controls),
    };
    jobs.register(kind);
  }

  /**
   * Runs `work` as a job, and gives what it gives; that, as JSON has it, is also the job's result. Throws what `work` throws, and what keeps
   * jobs from being begun. `about` is shown with the job.
   */
  async run<T>(
    title: string,
    about: Readonly<Record<string, unknown>>,
    work: (controls: JobControls) => Promise<T>,
  ): Promise<T> {
    const ticket = ++this.#last;
    const outcome = Promise.withResolvers<T>();
    outcome.promise.catch(() => undefined);
    this.#waiting.set(ticket, async (controls) => {
      try {
        const result = await work(controls);
        outcome.resolve(result);
        return result;
      } catch (error) {
        outcome.reject(error);
        throw error;
      }
    });
    try {
      this.#jobs.start(this.#name, { ...about, ticket }, title);
      return await outcome.promise;
    } finally {
      this.#waiting.delete(ticket);
    }
  }

  #parse(input: unknown): Ticket {
    const ticket =
      typeof input === "object" && input !== null && "ticket" in input ? input.ticket : undefined;
    if (typeof ticket === "number" && this.#waiting.has(ticket)) return { ticket, about: input };
    const text = `Jobs of the kind "${this.#name}" are begun by the request that brings or takes their bytes, and end with it.`;
    throw new GranaryError("config-invalid", text);
  }

  #take(ticket: number): Attended {
    const work = this.#waiting.get(ticket);
    this.#waiting.delete(ticket);
    if (work === undefined) throw new GranaryError("closed", "Whoever began it has left.");
    return work;
  }
}
