/** Owns the command line as tests run it: the launcher in a child process, what it prints, and how it ends. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const LAUNCHER = fileURLToPath(new URL("../../src/cli/granary.js", import.meta.url));

export type Ended = { readonly code: number | null; readonly out: string; readonly err: string };

export type GranaryChild = {
  readonly child: ChildProcess;
  /** Resolves when the process is over. */
  readonly ended: Promise<Ended>;
  /** What it has printed on both streams so far. */
  text(): string;
};

export type ChildOptions = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of Node itself. */
  readonly nodeFlags?: readonly string[];
  /** What it reads on standard input; nothing when left out. */
  readonly input?: string;
};

/** Starts `granary ...args`. The caller sees to its end. */
export function startGranary(args: readonly string[], options: ChildOptions = {}): GranaryChild {
  const { cwd, env = {}, nodeFlags = [], input } = options;
  const child = spawn(process.execPath, [...nodeFlags, LAUNCHER, ...args], {
    cwd,
    env: { ...process.env, ...env },
    stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  child.stdin?.end(input);
  let out = "";
  let err = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    out += chunk.toString();
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    err += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve({ code, out, err }));
  });
  return { child, ended, text: () => out + err };
}

/** Runs it to its end. */
export function runGranary(args: readonly string[], options?: ChildOptions): Promise<Ended> {
  return startGranary(args, options).ended;
}
