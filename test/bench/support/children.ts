/**
 * Owns every process that the bench starts: it starts them, waits until they answer, and ends them, also when the
 * bench itself is interrupted. Never ends a process that it did not start.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

export type Child = {
  readonly pid: number;
  /** SIGTERM, then SIGKILL after five seconds. Resolves when the process is gone. */
  readonly stop: () => Promise<void>;
  readonly stdout: NodeJS.ReadableStream;
  readonly exited: () => boolean;
};

/** What is put before a command so that it starts somewhere else than here: in a smaller machine. */
export type Enter = readonly [command: string, ...args: string[]];

type Surroundings = {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly enter?: Enter | undefined;
};

/** Starts a server. Its error output goes to `logFile`, so that a failed start can be explained. */
export function startChild(
  command: string,
  args: readonly string[],
  logFile: string,
  { cwd, env, enter }: Surroundings = {},
): Child {
  const [program = command, ...rest] = [...(enter ?? []), command, ...args];
  const stdio: ["ignore", "pipe", "pipe"] = ["ignore", "pipe", "pipe"];
  const child = spawn(program, rest, { stdio, cwd, env: { ...process.env, ...env } });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.stderr.pipe(createWriteStream(logFile));
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} could not be started`);
  return {
    pid,
    stdout: child.stdout,
    exited: () => child.exitCode !== null || child.signalCode !== null,
    stop: () => stopChild(child),
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, "exit");
  child.kill("SIGTERM");
  const impatient = setTimeout(() => child.kill("SIGKILL"), 5_000);
  await gone;
  clearTimeout(impatient);
}

/** Runs a command to its end, or until it is asked to end, and returns what it printed; throws with its error output when it fails. */
export async function runCommand(
  command: string,
  args: readonly string[],
  until?: AbortSignal,
): Promise<string> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  until?.addEventListener("abort", () => child.kill("SIGTERM"));
  let [output, complaint] = ["", ""];
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const [code] = await once(child, "close");
  running.delete(child);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${complaint.trim() || output.trim()}`);
  return output;
}
