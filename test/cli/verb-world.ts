/**
 * Owns the world of command line tests: a fake registry, a home without any login, and processes that end with the test. What runs
 * to its end alone does so in the test's own process, half a second cheaper; verbs-through-granary.test.ts shows each as a real one.
 */
import { onTestFinished } from "vitest";
import { type FakeOptions, type FakeRegistry, startFakeRegistry } from "../support/fake-registry.ts";
import { type Ended, type GranaryChild, startGranary } from "../support/run-granary.ts";
import { runMain } from "../support/run-main.ts";
import { tempDirectory } from "../support/temp-directory.ts";

export type VerbWorld = {
  readonly fake: FakeRegistry;
  /** The home and working directory of every process; empty. */
  readonly directory: string;
  /** Runs `granary ...args` to its end, one at a time; a process of its own where it reads standard input. */
  run(args: readonly string[], input?: string): Promise<Ended>;
  /** A real process. */
  start(args: readonly string[], input?: string): GranaryChild;
};

/** Call it inside a test. */
export async function verbWorld(options: FakeOptions = { mode: "plain" }): Promise<VerbWorld> {
  const fake = await startFakeRegistry(options);
  onTestFinished(() => fake.close());
  const directory = await tempDirectory();
  const env = { HOME: directory, DOCKER_CONFIG: "", REGISTRY_AUTH_FILE: "", XDG_RUNTIME_DIR: "" };
  const start = (args: readonly string[], input?: string) => {
    const granary = startGranary(args, { cwd: directory, env, ...(input !== undefined && { input }) });
    onTestFinished(async () => {
      granary.child.kill("SIGKILL");
      await granary.ended;
    });
    return granary;
  };
  const run = (args: readonly string[], input?: string) =>
    input === undefined && !args.includes("--password-stdin")
      ? runMain(args, { cwd: directory, env })
      : start(args, input).ended;
  return { fake, directory, start, run };
}
