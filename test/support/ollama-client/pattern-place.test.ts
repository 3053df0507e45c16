/** Shows that the check of a pattern misses no gap and no wrong byte. */
import { expect, test } from "vitest";
import { patternBytes } from "../pattern.ts";
import { PatternPlace } from "./pattern-place.ts";

const SIZE = 100_000;
const LAYER = patternBytes(5, 0, SIZE);

test("The pattern place is as hard to please as a digest", async () => {
  const place = () => new PatternPlace({ seed: 5, size: SIZE });
  const good = place();
  await good.prepare(SIZE);
  await good.write(0, LAYER);
  await good.verify();
  const gap = place();
  await gap.prepare(SIZE);
  await gap.write(0, LAYER.subarray(0, SIZE - 1));
  await expect(gap.verify()).rejects.toThrow("digest mismatch");
  const wrong = place();
  await wrong.prepare(SIZE);
  await wrong.write(0, Buffer.from(LAYER).fill(0, 777, 778));
  await expect(wrong.verify()).rejects.toThrow(/digest mismatch.*at 777/);
});
