/** Owns the asking of a crowd of readers, which is a process of its own (reader-crowd.ts), and the shape of what it says. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { plainEnvironment } from "../../e2e/support/run-command.ts";

export type CrowdAsk = {
  /** Where the blob is: at the first, and for a reader that has to come back at the next. */
  readonly urls: readonly string[];
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly readers: number;
  /** The digest of what came is looked at. */
  readonly isChecked: boolean;
  /** A reader that has not all of it by then fails, and the crowd with it. */
  readonly mostMs: number;
};

/** Times from when the crowd began. */
export type ReaderReport = {
  readonly bytes: number;
  readonly firstByteMs: number;
  /** The longest time between two pieces. */
  readonly longestGapMs: number;
  readonly wholeMs: number;
  /** How often it had to come back. */
  readonly returns: number;
};

const PROGRAM = fileURLToPath(new URL("reader-crowd.ts", import.meta.url));

/** Throws when a reader got wrong bytes, or not all of them in time. */
export async function readCrowd(ask: CrowdAsk): Promise<readonly ReaderReport[]> {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(ask)], {
    env: plainEnvironment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), ask.mostMs + 30_000);
  let [report, complaints] = ["", ""];
  child.stderr.on("data", (chunk) => (complaints += chunk));
  child.stdout.on("data", (chunk) => {
    report += chunk;
    // It is over with its line: one process of some thousands stood still in Node's own end, until it was killed after 90 s.
    if (report.endsWith("\n")) child.kill("SIGKILL");
  });
  await once(child, "close").finally(() => clearTimeout(timer));
  if (report.endsWith("\n")) return JSON.parse(report) as readonly ReaderReport[];
  throw new Error(`the crowd of readers of ${ask.urls[0]} failed: ${complaints.slice(-4000)}`);
}
