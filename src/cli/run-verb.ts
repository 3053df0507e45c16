/**
 * Owns what all client verbs have in common between parsing and the end of the process: options, signals, progress, and how an
 * answer is printed. A verb calls one library function and gives back its Answer.
 */
import type { LibraryOptions } from "../library/library-options.ts";
import { type CommonFlags, libraryOptionsOf } from "./common-options.ts";
import { catchSignals } from "./interruption.ts";
import { tellFailure } from "./output.ts";
import { type Answer, print } from "./print.ts";
import { showProgress } from "./show-progress.ts";

/** Throws what `verb` throws, unless a signal ended it: then the failure is told here, and the exit code set. */
export async function runVerb(
  flags: CommonFlags,
  verb: (options: LibraryOptions) => Promise<Answer>,
): Promise<void> {
  const options = await libraryOptionsOf(flags);
  const { signal, exitCode, release } = catchSignals();
  const progress = showProgress(flags);
  // Before a second signal can end the process: it would leave the terminal without a cursor.
  signal.addEventListener("abort", progress.end);
  try {
    const answer = await verb({ ...options, signal, onProgress: progress.report }).finally(progress.end);
    print(answer, flags);
  } catch (error) {
    if (!signal.aborted) throw error;
    tellFailure(error);
    process.exitCode = exitCode();
  } finally {
    release();
  }
}
