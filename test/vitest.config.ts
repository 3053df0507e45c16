import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";

/** Servers that run at the same time would want the same port; a test of the admin face names another one in its configuration. */
const QUIET_ADMIN = { GRANARY_ADMIN: "off" };

/** Two projects: `unit` needs nothing but Node; `e2e` starts real registries and real clients. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bench/**"],
          // It only keeps a test from hanging: one of ten seconds takes two minutes on a machine that does twenty other things.
          testTimeout: 300_000,
          // Many tests wait for a process or a time-out: with two cores vitest would run one file at a time, and two leave a core idle.
          maxWorkers: Math.max(3, availableParallelism()),
          hookTimeout: 300_000,
          // The processes that tests start read the compiled program from here, which halves the time they take to start.
          env: { NODE_COMPILE_CACHE: join(tmpdir(), "granary-tests-compiled"), ...QUIET_ADMIN },
          // What is polled for may take long on a busy machine; by default a poll gives up after one second.
          expect: { poll: { timeout: 60_000 } },
        },
      },
      {
        test: {
          name: "e2e",
          env: QUIET_ADMIN,
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
