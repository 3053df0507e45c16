/**
 * Owns what all long verbs have in common between parsing and the end of the process: options, signals, progress, and what is said when
 * it ends early. A verb calls one library function and gives back its answer.
 */
import type { Command } from "commander";
import { isPassing } from "../client/fetching/fetch-policy.ts";
import type { OnProgress, Progress } from "../client/fetching/progress.ts";
import type { LibraryOptions } from "../library/library-options.ts";
import { systemClock } from "../observe/clock.ts";
import { type Asked, askedOf } from "./asked.ts";
import { type CommonFlags, libraryOptionsOf } from "./common-options.ts";
import { exitCodeOf } from "./exit-code.ts";
import { catchSignals } from "./interruption.ts";
import { printAnswer, tell, tellFailure, type VerbAnswer } from "./output.ts";
import { amountOf, type ProgressDisplay } from "./progress-display.ts";
import { progressLines } from "./progress-lines.ts";

/** What a verb does, in the words of whoever typed it: for messages. */
export type VerbWords = {
  /** "fetching gemma:2b". */
  readonly doing: string;
  /** Where the bytes fetched so far stay when the verb ends early: "in gemma.gguf.partial". Left out when nothing stays. */
  readonly keptWhere?: string;
};

/** Runs `verb` with the library's options and prints its answer. An error of `verb` is printed, not thrown. */
export async function runVerb(
  command: Command,
  words: VerbWords,
  verb: (options: LibraryOptions) => Promise<VerbAnswer>,
): Promise<void> {
  const flags = command.opts<CommonFlags>();
  const options = await libraryOptionsOf(flags);
  const answer = await runShown(command, words, (controls) => verb({ ...options, ...controls }));
  if (answer !== undefined) printAnswer(answer, flags);
}

/** How a running verb is stopped, and how it tells of its progress. */
export type VerbControls = { readonly signal: AbortSignal; readonly onProgress: OnProgress };

/**
 * Returns what `run` returns, and shows its progress on standard error meanwhile. When `run` fails or a signal ends it, this prints why,
 * sets the exit code and returns undefined.
 */
export async function runShown<T>(
  command: Command,
  words: VerbWords,
  run: (controls: VerbControls) => Promise<T>,
): Promise<T | undefined> {
  const { signal, exitCode, release } = catchSignals();
  const display = await displayOf(command.opts<CommonFlags>());
  // Before a second signal can end the process: it would leave the terminal without a cursor.
  signal.addEventListener("abort", display.end);
  let fetched: Progress | undefined;
  const onProgress = (progress: Progress) => {
    if (progress.phase === "fetch") fetched = progress;
    display.report(progress);
  };
  try {
    return await run({ signal, onProgress }).finally(display.end);
  } catch (error) {
    const asked = askedOf(command);
    const kept = signal.aborted || isPassing(error) ? keptOf(words, fetched) : undefined;
    if (signal.aborted) tell(`granary: Stopped ${words.doing}${kept === undefined ? "" : `: ${kept}`}.`);
    else tellFailure(error, asked);
    if (kept !== undefined) tell(signal.aborted ? goOnBy(asked) : `${kept}. ${goOnBy(asked)}`);
    process.exitCode = signal.aborted ? exitCode() : exitCodeOf(error);
    return undefined;
  } finally {
    release();
  }
}

/** A bar on a terminal, lines in a pipe, nothing when quiet. */
export async function displayOf({ quiet }: Pick<CommonFlags, "quiet">): Promise<ProgressDisplay> {
  if (quiet === true) return { report: () => undefined, end: () => undefined };
  const { stderr } = process;
  if (!canDraw(stderr)) return progressLines(stderr, systemClock);
  const { progressBar } = await import("./progress-bar.ts");
  return progressBar(stderr, systemClock);
}

/** A dumb terminal (an editor's, a serial line's) moves no cursor. */
export function canDraw({ isTTY }: { readonly isTTY?: boolean }): boolean {
  return isTTY === true && process.env.TERM !== "dumb";
}

function keptOf({ keptWhere }: VerbWords, fetched: Progress | undefined): string | undefined {
  if (keptWhere === undefined || fetched === undefined || fetched.done === 0) return undefined;
  const { phase, done, total } = fetched;
  const amount =
    done === total
      ? `all ${amountOf(phase, total)}`
      : `${amountOf(phase, done)} of ${amountOf(phase, total)}`;
  return `${amount} are kept ${keptWhere}`;
}

/** The command stands at the end, without a full stop: to be copied. */
function goOnBy({ again }: Asked): string {
  return `To go on from there: ${again}`;
}
