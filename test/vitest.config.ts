import { globSync, readFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Servers that run at the same time would want the same port; a test of the admin face names another one in its configuration. */
const QUIET_ADMIN = { GRANARY_ADMIN: "off" };
/** The processes that tests start read the compiled program from here, which halves the time they take to start. */
const COMPILED = { NODE_COMPILE_CACHE: join(tmpdir(), "granary-tests-compiled") };

/** The files of real clients say by these words on which lines (test/e2e/support/lines.ts) they run. */
const filesOfEndToEnd = globSync("test/e2e/**/*.test.ts");
const says = (file: string, words: RegExp) => words.test(readFileSync(file, "utf8"));
const isOnBothLines = (file: string) => says(file, /\bLINES\b|\bdescribePulls\b/);
const isOnSlowLine = (file: string) => isOnBothLines(file) || says(file, /\bSLOW_LINE\b/);
const isOnlyOnSlowLine = (file: string) => isOnSlowLine(file) && !isOnBothLines(file);

function e2e(name: string, env: Record<string, string>, include: string[], groupOrder: number) {
  return {
    test: {
      name,
      include,
      env: { ...COMPILED, ...QUIET_ADMIN, ...env },
      // Real clients wait for each other, for a disk and for time: two files at once take little more of it than one.
      maxWorkers: 2,
      sequence: { groupOrder },
      globalSetup: ["test/e2e/support/fill-upstream.ts"],
      testTimeout: 600_000,
      hookTimeout: 600_000,
    },
  };
}

/**
 * `unit` needs nothing but Node; the two of `e2e` start real registries and real clients, `e2e-page` a real browser, `e2e-fleet`
 * real databases and object stores. The last four run one after the other.
 */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bench/**", "test/page/**", "test/services/**"],
          // It only keeps a test from hanging: one of ten seconds takes two minutes on a machine that does twenty other things.
          testTimeout: 300_000,
          // Many tests wait for a process or a time-out: with two cores vitest would run one file at a time, and even three use one core.
          maxWorkers: Math.max(4, availableParallelism()),
          hookTimeout: 300_000,
          env: { ...COMPILED, ...QUIET_ADMIN },
          // What is polled for may take long on a busy machine; by default a poll gives up after one second.
          expect: { poll: { timeout: 60_000 } },
        },
      },
      e2e(
        "e2e",
        { GRANARY_E2E_LINE: "fast" },
        filesOfEndToEnd.filter((file) => !isOnlyOnSlowLine(file)),
        2,
      ),
      e2e("e2e-slow-line", { GRANARY_E2E_LINE: "slow" }, filesOfEndToEnd.filter(isOnSlowLine), 1),
      {
        test: {
          name: "e2e-page",
          include: ["test/page/**/*.test.ts"],
          env: { ...COMPILED, ...QUIET_ADMIN },
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
      // Real databases and real object stores.
      {
        test: {
          name: "e2e-fleet",
          include: ["test/services/**/*.test.ts"],
          env: { ...COMPILED, ...QUIET_ADMIN },
          maxWorkers: 2,
          sequence: { groupOrder: 4 },
          testTimeout: 300_000,
          hookTimeout: 300_000,
          expect: { poll: { timeout: 60_000 } },
        },
      },
    ],
  },
});
