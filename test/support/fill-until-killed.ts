/**
 * A program for crash tests: fills one Partial of the pattern 30 in the storage directory of its first argument, with
 * checkpoints beside the writes, and prints the bytes that each checkpoint surely saved. It runs until it is killed.
 */

import { openSpool } from "../../src/store/spool.ts";
import { prepareLayout } from "../../src/store/storage-directory.ts";
import { digestOfPattern, patternBytes } from "./pattern.ts";
import { owned } from "./temp-store.ts";

const SIZE = 48 * 1024 * 1024;
const STEP = 64 * 1024;

const layout = await prepareLayout(process.argv[2] ?? "");
const partial = await openSpool(layout).openPartial(owned(digestOfPattern(30, 1)), SIZE);

async function saveForEver(): Promise<void> {
  for (;;) {
    const total = partial.present.total;
    await partial.checkpoint();
    if (total > 0) process.stdout.write(`${total}\n`);
    await new Promise(setImmediate);
  }
}

async function fillForEver(): Promise<void> {
  // Every third step, so that the map has holes; round and round, so that it never ends.
  for (let turn = 0; ; turn++) {
    const step = (turn * 3) % (SIZE / STEP);
    const start = step * STEP;
    await partial.write(start, [patternBytes(30, start, STEP)]);
    partial.present.add({ start, end: start + STEP });
  }
}

await Promise.all([saveForEver(), fillForEver()]);
