/**
 * Owns how a command stays with a job until it ends: a bar of its bytes, and what it says, on standard error. Ctrl-C leaves the job running and
 * says how to go on; only a job of this very process, in a directory that no server uses, ends with it.
 */
import type { Progress } from "../../client/fetching/progress.ts";
import { GranaryError } from "../../errors.ts";
import type { Job } from "../../http/admin/routes/jobs-routes.ts";
import { foregroundClock } from "../../observe/clock.ts";
import { visibleLine } from "../../observe/visible-text.ts";
import { sleep } from "../../waiting/sleep.ts";
import { catchSignals, type Interruption } from "../interruption.ts";
import { printJson, printLine, tell } from "../output.ts";
import { canDraw, displayOf } from "../run-verb.ts";
import type { AdminClient } from "./admin-client.ts";

const jobSchema = async () => (await import("../../http/admin/routes/jobs-routes.ts")).jobSchema;

export const CTRL_C = `
Ctrl-C leaves the job running in the server: granary jobs follow ID shows it again, granary jobs stop ID ends it.`;

const LOOK_MS = 300;

/** The job once it has ended; undefined when somebody left it with Ctrl-C, and the exit code is set. Throws what the server answers. */
export async function followJob(
  client: AdminClient,
  begun: Job,
  { quiet = false }: { readonly quiet?: boolean },
): Promise<Job | undefined> {
  const interruption = catchSignals();
  const { signal } = interruption;
  const display = await displayOf({ quiet });
  signal.addEventListener("abort", display.end);
  const told = new NotesToTell(quiet);
  try {
    let job = begun;
    while (job.state === "running" && !signal.aborted) {
      told.tell(job.notes);
      const shown = progressOf(job);
      if (shown !== undefined) display.report(shown);
      await sleep(LOOK_MS, foregroundClock, signal);
      if (!signal.aborted) job = await client.get(jobSchema, pathOf(job));
    }
    if (job.state === "running") return await left(client, job, interruption);
    if (job.state === "done") display.report(endOf(job));
    display.end();
    told.tell(job.notes);
    return job;
  } finally {
    display.end();
    interruption.release();
  }
}

function pathOf({ id }: Pick<Job, "id">): string {
  return `/api/v1/jobs/${id}`;
}

async function left(client: AdminClient, job: Job, { exitCode }: Interruption): Promise<undefined> {
  process.exitCode = exitCode();
  if (client.isAlone) {
    await client.ask(jobEndSchema, { method: "POST", path: `${pathOf(job)}/stop` }).catch(() => undefined);
    tell(`granary: Stopped: ${job.title}.`);
    return undefined;
  }
  const go = `granary jobs follow ${job.id}`;
  tell(
    `granary: Job ${job.id} goes on (${job.title}). To see it: ${go}. To end it: granary jobs stop ${job.id}.`,
  );
  return undefined;
}

const jobEndSchema = async () => ({ parse: (value: unknown) => value });

/** Of a command that was told not to wait. */
export function printDetached(
  job: Job,
  { json, quiet }: { readonly json?: boolean; readonly quiet?: boolean },
): void {
  if (json === true) printJson({ job });
  else printLine(String(job.id));
  if (quiet !== true) tell(`Job ${job.id} runs in the server. To see it: granary jobs follow ${job.id}`);
}

/** Why a job has no result. */
export function failureOf({ id, title, state, code, reason }: Job): GranaryError {
  const text = reason ?? `Job ${id} (${title}) has ended without a result: ${state}.`;
  return new GranaryError(code ?? "aborted", text);
}

function endOf({ kind, progress: { bytes } }: Job): Progress {
  return { phase: phaseOf(kind), done: bytes.total, total: bytes.total };
}

function phaseOf(kind: string): Progress["phase"] {
  return kind === "verify" ? "verify" : "fetch";
}

/** What a display takes: only the last report has `done` equal to `total`. */
function progressOf({ kind, progress: { bytes } }: Job): Progress | undefined {
  if (bytes.total === 0) return undefined;
  return { phase: phaseOf(kind), done: bytes.done, total: Math.max(bytes.total, bytes.done + 1) };
}

/** The server remembers the last lines: each is told once. */
class NotesToTell {
  readonly #quiet: boolean;
  #told: readonly string[] = [];

  constructor(quiet: boolean) {
    this.#quiet = quiet;
  }

  tell(notes: readonly string[]): void {
    const last = this.#told.at(-1);
    const from = last === undefined ? 0 : notes.lastIndexOf(last) + 1;
    this.#told = notes;
    if (this.#quiet) return;
    // Over the bar, which is drawn again below.
    const clear = canDraw(process.stderr) ? "\r\u001b[K" : "";
    for (const note of notes.slice(from)) process.stderr.write(`${clear}${visibleLine(note)}\n`);
  }
}
