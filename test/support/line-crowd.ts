/**
 * Owns a crowd of readers of one blob behind a slow line: it runs them and says for each what it got, and the longest it went
 * without. Such a time counts only as far as this process was given it, so that a busy machine does not look like starvation.
 */
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import type { BlobReader } from "../../src/source.ts";
import { firstDifference } from "./pattern.ts";

export type Crowd = "whole" | "parts" | "mixed";

export type CrowdReader = {
  readonly range: ByteRange;
  readonly received: number;
  /** The longest time between two reads that brought something, ms; what was lost to a busy machine is left out. */
  readonly longestGapMs: number;
};

type Blob = {
  readonly seed: number;
  readonly size: number;
  readonly reader: (range?: ByteRange) => BlobReader;
};

const READ_BYTES = 256 * 1024;
const TICK_MS = 20;
/** A tick that comes later than this was late because of the machine. */
const LATE_MS = 30;

/** `count` ranges of a blob: all of it each, equal parts, or every second one whole and the others parts. */
export function rangesOf(crowd: Crowd, count: number, size: number): (ByteRange | undefined)[] {
  const part = Math.ceil(size / count);
  return Array.from({ length: count }, (_, index) => {
    const range = { start: index * part, end: Math.min(size, (index + 1) * part) };
    return crowd === "whole" || (crowd === "mixed" && index % 2 === 0) ? undefined : range;
  });
}

/** Reads `ranges` at once, each to its end, checking every byte. Throws what the first reader that failed threw. */
export async function readCrowd(
  blob: Blob,
  ranges: readonly (ByteRange | undefined)[],
): Promise<CrowdReader[]> {
  const time = new GivenTime();
  try {
    return await Promise.all(ranges.map((range) => readOne(time, blob, range)));
  } finally {
    time.stop();
  }
}

async function readOne(time: GivenTime, { seed, size, reader }: Blob, asked: ByteRange | undefined) {
  const range = asked ?? { start: 0, end: size };
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  const opened = reader(asked);
  let [received, longestGapMs, since] = [0, 0, time.ms];
  try {
    for (let count = await opened.read(buffer); count > 0; count = await opened.read(buffer)) {
      const wrong = firstDifference(seed, range.start + received, buffer.subarray(0, count));
      if (wrong !== undefined) throw new Error(`byte ${wrong} is wrong`);
      received += count;
      longestGapMs = Math.max(longestGapMs, time.ms - since);
      since = time.ms;
    }
  } finally {
    opened.close();
  }
  return { range, received, longestGapMs };
}

/** Time as far as the machine gave us any. */
class GivenTime {
  ms = 0;
  readonly #timer: NodeJS.Timeout;

  constructor() {
    let lookedAt = performance.now();
    this.#timer = setInterval(() => {
      const now = performance.now();
      this.ms += Math.min(now - lookedAt, LATE_MS);
      lookedAt = now;
    }, TICK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
