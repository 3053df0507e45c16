import { defineConfig } from "vitest/config";

/** Two projects: `unit` needs nothing but Node; `e2e` starts real registries and real clients. */
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: "unit",
          include: ["test/**/*.test.ts"],
          exclude: ["test/e2e/**", "test/bench/**"],
          testTimeout: 30_000,
          // What is polled for may take long on a busy machine; by default a poll gives up after one second.
          expect: { poll: { timeout: 20_000 } },
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 600_000,
        },
      },
    ],
  },
});
