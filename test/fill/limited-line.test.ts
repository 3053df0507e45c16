/**
 * What a limit of bandwidth means to crowds, with the real parts and real connections: the line carries no more than the limit, everybody gets
 * the right bytes once, and nobody who waits goes without for long (F6, F17).
 */
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/observe/clock.ts";
import { Bandwidth } from "../../src/upstream/network/bandwidth.ts";
import { rangesOf, readCrowd } from "../support/line-crowd.ts";
import { eventually, PROMPT_MS } from "../support/patience.ts";
import { realFills } from "../support/real-fills.ts";
import { SlowLine } from "../support/slow-line.ts";

const MB = 1_000_000;
/** Heads of answers, and the ends of requests that were cut for somebody who waited. */
const SLACK = 1.05;

const limitsOf = (total: number | undefined) => ({ total, upstreams: new Map() });

function limitedTo(total: number): Bandwidth {
  const bandwidth = new Bandwidth(systemClock);
  bandwidth.renew(limitsOf(total));
  return bandwidth;
}

test("F17: forty clients at forty places of one blob under a limit of 2 MB/s: all are served, at that rate and not above", async () => {
  const { blob, fake } = await realFills({ bandwidth: limitedTo(2 * MB) });
  const size = 6 * MB;
  const { digest, reader } = blob(40, size);
  const begunAt = performance.now();
  const readers = await readCrowd({ seed: 40, size, reader }, rangesOf("parts", 40, size));
  const seconds = (performance.now() - begunAt) / 1000;
  expect(readers.reduce((sum, { received }) => sum + received, 0)).toBe(size);
  // In real time, on a machine that may be busy: the exact bound is bandwidth.test.ts's, in simulated time.
  expect(Math.max(...readers.map(({ longestGapMs }) => longestGapMs))).toBeLessThanOrEqual(PROMPT_MS);
  // Half a second's worth may come at once at the beginning.
  expect(seconds).toBeGreaterThanOrEqual(size / (2 * MB) - 0.5);
  expect(fake.bytesSentFor(digest)).toBeLessThanOrEqual(size * SLACK);
});

test("a limit that is lifted, as by an hour that begins or a reload, holds a running transfer no longer", async () => {
  const bandwidth = limitedTo(100_000);
  const { blob, fake } = await realFills({ bandwidth });
  const size = 8 * MB;
  const { digest, read } = blob(7, size);
  const reading = read();
  await eventually(() => expect(fake.bytesSentFor(digest)).toBeGreaterThan(0));
  bandwidth.renew(limitsOf(undefined));
  // Under the limit it would take 80 seconds, and this test would be ended.
  expect(await reading).toBe(size);
  expect(fake.bytesSentFor(digest)).toBeLessThanOrEqual(size * SLACK);
}, 60_000);

test("a limit that begins while a transfer runs holds it from then on", async () => {
  const line = new SlowLine({ rate: 4 * MB });
  onTestFinished(() => line.close());
  const bandwidth = new Bandwidth(systemClock);
  const { blob, fake } = await realFills({ bandwidth, line });
  const size = 6 * MB;
  const { digest, read } = blob(8, size);
  const reading = read();
  await eventually(() => expect(fake.bytesSentFor(digest)).toBeGreaterThan(0));
  bandwidth.renew(limitsOf(1 * MB));
  const [left, begunAt] = [size - fake.bytesSentFor(digest), performance.now()];
  expect(await reading).toBe(size);
  // What was asked for before is not taken back; of the rest nothing comes faster than the limit says.
  const seconds = (performance.now() - begunAt) / 1000;
  expect(seconds).toBeGreaterThan((left / MB) * 0.3);
});

test("clients that leave while they wait for bandwidth leave it to the others", async () => {
  const { blob } = await realFills({ bandwidth: limitedTo(500_000) });
  const left = blob(50, 20 * MB);
  const readers = Array.from({ length: 20 }, (_, index) =>
    left.reader({ start: index * MB, end: (index + 1) * MB }),
  );
  const waiting = readers.map((reader) => reader.read(Buffer.alloc(1)).catch(() => 0));
  for (const reader of readers) reader.close();
  await Promise.all(waiting);
  expect(await blob(51, MB).read()).toBe(MB);
});
