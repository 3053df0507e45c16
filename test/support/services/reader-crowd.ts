/**
 * Owns a crowd of readers in a process of their own, so that they cost the test that counts bytes nothing: `node reader-crowd.ts ASK`, with the ask
 * and the answer as JSON (read-crowd.ts). Each reads a blob as a patient client does: where its connection breaks it comes back, by range.
 */
import { createHash } from "node:crypto";
import { Agent, request } from "node:http";
import type { CrowdAsk, ReaderReport } from "./read-crowd.ts";

const AGAIN_MS = 100;

const ask = JSON.parse(process.argv[2] ?? "") as CrowdAsk;
const agent = new Agent({ keepAlive: true });
const begun = performance.now();
const reports = await Promise.all(Array.from({ length: ask.readers }, (_, index) => read(index)));
process.stdout.write(`${JSON.stringify(reports)}\n`);

async function read(index: number): Promise<ReaderReport> {
  const hash = ask.isChecked ? createHash("sha256") : undefined;
  const report = { bytes: 0, firstByteMs: 0, longestGapMs: 0, wholeMs: 0, returns: 0 };
  let lastAt = performance.now();
  const take = (chunk: Buffer) => {
    const now = performance.now();
    if (report.bytes === 0) report.firstByteMs = now - begun;
    else report.longestGapMs = Math.max(report.longestGapMs, now - lastAt);
    lastAt = now;
    hash?.update(chunk);
    report.bytes += chunk.length;
  };
  for (let turn = 0; report.bytes < ask.size; turn++) {
    if (performance.now() - begun > ask.mostMs)
      throw new Error(`reader ${index} has ${report.bytes} of ${ask.size} bytes after ${ask.mostMs} ms`);
    if (turn > 0) await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    const isWhole = await readOnce(ask.urls[turn % ask.urls.length] ?? "", report.bytes, take);
    if (!isWhole) report.returns += 1;
  }
  if (hash !== undefined && `sha256:${hash.digest("hex")}` !== ask.digest)
    throw new Error(`reader ${index} has got wrong bytes`);
  return { ...report, wholeMs: performance.now() - begun };
}

/** False when it was not answered, or the answer broke off. */
function readOnce(url: string, from: number, take: (chunk: Buffer) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const headers = from === 0 ? {} : { range: `bytes=${from}-` };
    const asked = request(url, { agent, headers }, (answer) => {
      const isRight = answer.statusCode === (from === 0 ? 200 : 206);
      if (isRight) answer.on("data", take);
      else answer.resume();
      answer.once("close", () => resolve(isRight && answer.complete));
    });
    asked.once("error", () => resolve(false));
    asked.end();
  });
}
