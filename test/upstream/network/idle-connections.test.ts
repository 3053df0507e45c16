/** How long a connection is kept that nobody uses: on a line that gives few of them, it takes the place of one that is needed. */
import { expect, onTestFinished, test } from "vitest";
import { DEFAULT_POLICY } from "../../../src/config/defaults.ts";
import { realFills } from "../../support/real-fills.ts";
import { SlowLine } from "../../support/slow-line.ts";

test("a connection that nobody uses is given up within seconds, though the server says that it keeps it for a minute", async () => {
  const line = new SlowLine();
  onTestFinished(() => line.close());
  // The fake registry keeps idle connections for a minute, and says so.
  const { blob } = await realFills({ line, policy: DEFAULT_POLICY });
  await blob(1, 1_000).read();
  expect(line.connections).toBeGreaterThan(0);
  await expect.poll(() => line.connections, { timeout: 40_000, interval: 100 }).toBe(0);
});
