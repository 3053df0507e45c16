/** Owns temporary directories: one for each call inside a test, removed when that test is over. */
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** Absolute, without symbolic links. Call it inside a test; it is removed with everything in it. */
export async function tempDirectory(): Promise<string> {
  const path = await mkdtemp(join(await realpath(tmpdir()), "granary-test-"));
  // What was closed with a deadline of nothing may write a last file meanwhile.
  onTestFinished(() => rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  return path;
}
