/** Many blobs at once over a line that gives few connections and breaks every further one: all of them come, and the line is not stormed. */
import { expect, onTestFinished, test } from "vitest";
import { realFills } from "../support/real-fills.ts";
import { SlowLine } from "../support/slow-line.ts";

const BLOBS = 60;
const SIZE = 40_000;

test("sixty blobs that are wanted in one moment all come over three connections, where a fourth is broken off", async () => {
  const line = new SlowLine({ rate: 600e3, delayMs: 30, limit: { connections: 3, beyond: "refuse" } });
  onTestFinished(() => line.close());
  const { blob } = await realFills({ line });
  const blobs = Array.from({ length: BLOBS }, (_, index) => blob(index + 1, SIZE));
  const read = await Promise.all(blobs.map((one) => one.read()));
  expect(read).toEqual(blobs.map(() => SIZE));
  // All but three were broken off in the first moment. Once it is known what the line gives, the rest wait for their turn.
  expect(line.account.refused).toBeLessThan(2 * BLOBS);
  expect(line.account.carried).toBeLessThan(1.1 * BLOBS * SIZE);
}, 60_000);
