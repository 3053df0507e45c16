/** Owns the asking of a crowd of readers, which is a process of its own (reader-crowd.ts), and the shape of what it says. */
import { fileURLToPath } from "node:url";
import { runCommand } from "../../e2e/support/run-command.ts";

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
  const printed = await runCommand(process.execPath, [PROGRAM, JSON.stringify(ask)], {
    timeoutMs: ask.mostMs + 30_000,
  });
  return JSON.parse(printed) as readonly ReaderReport[];
}
