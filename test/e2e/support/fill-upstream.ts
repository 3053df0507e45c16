/** Owns that the real upstream's content is there before two test files at once would want to make it. */

import { startRealUpstream, UPSTREAM_PROGRAMS } from "./real-upstream.ts";
import { installed } from "./required-programs.ts";

/** vitest calls it once, before the first test file of a project. */
export async function setup(): Promise<void> {
  if (!UPSTREAM_PROGRAMS.every(installed)) return;
  await using cleanup = new AsyncDisposableStack();
  await startRealUpstream(cleanup);
}
