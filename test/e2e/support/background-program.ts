/**
 * Owns one long-running outside program: its process group, its log, its end. Nothing that it starts may outlive
 * the test worker, however the worker ends.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { installed } from "./required-programs.ts";
import { plainEnvironment } from "./run-command.ts";

export type ProgramOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Longest wait for `ready`. */
  readonly readyMs?: number;
};

/** The kernel ends the program when this worker is killed itself, which no exit handler hears of. */
const TIED_TO_WORKER = installed("setpriv") ? ["setpriv", "--pdeathsig", "KILL"] : [];

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) signalGroup(child, "SIGKILL");
});

export class BackgroundProgram {
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #closed: Promise<void>;
  #log = "";

  constructor(file: string, args: readonly string[], { env = {}, cwd }: ProgramOptions = {}) {
    this.#name = file;
    const [command, ...rest] = [...TIED_TO_WORKER, file, ...args];
    this.#child = spawn(command ?? file, rest, {
      env: { ...plainEnvironment(), ...env },
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
      ...(cwd !== undefined && { cwd }),
    });
    running.add(this.#child);
    this.#child.stdout?.on("data", (chunk: Buffer) => this.#record(chunk));
    this.#child.stderr?.on("data", (chunk: Buffer) => this.#record(chunk));
    this.#child.once("error", (error) => this.#record(error.message));
    this.#closed = new Promise((resolve) => {
      this.#child.once("error", () => resolve());
      this.#child.once("exit", () => resolve());
    });
    void this.#closed.then(() => running.delete(this.#child));
  }

  /** Everything that the program has said on both streams. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return running.has(this.#child);
  }

  /** Resolves with the first defined value that `look` gives; throws with the log when the program ends first. */
  async until<T>(look: () => Promise<T | undefined> | T | undefined, readyMs = 60_000): Promise<T> {
    const deadline = performance.now() + readyMs;
    for (;;) {
      const seen = await look();
      if (seen !== undefined) return seen;
      if (!this.alive || performance.now() > deadline) {
        const state = this.alive ? `was not ready within ${readyMs} ms` : "ended";
        throw new Error(`${this.#name} ${state}: ${this.#log.slice(-4000)}`);
      }
      await sleep(50);
    }
  }

  /** SIGTERM, then SIGKILL for the whole group when `graceMs` has passed. Idempotent. */
  async stop(graceMs = 15_000): Promise<void> {
    if (this.alive) this.#child.kill("SIGTERM");
    const patience = new AbortController();
    await Promise.race([this.#closed, sleep(graceMs, undefined, { signal: patience.signal })]);
    patience.abort();
    await this.kill();
  }

  /** SIGKILL, at once, for the program and what it started. */
  async kill(): Promise<void> {
    signalGroup(this.#child, "SIGKILL");
    await this.#closed;
  }

  #record(chunk: Buffer | string): void {
    this.#log += chunk.toString();
  }
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    // ESRCH: every process of the group is already gone, which is what was asked for.
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
