/** F8 with a real process: killed in the middle of a fill, at random moments, it leaves a map that claims nothing false. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { lengthOf } from "../../src/bytes/byte-range.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { type FakeRegistry, startFakeRegistry } from "../support/fake-registry.ts";
import { firstDifference } from "../support/pattern.ts";
import { realFills } from "../support/real-fills.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { owned, readBytes, tempStore } from "../support/temp-store.ts";

const MIB = 2 ** 20;
const SIZE = 16 * MIB;
const PROGRAM = join(import.meta.dirname, "../support/fill-from-upstream.ts");
/** Bytes that the upstream has sent when the process dies. A fill takes two seconds, and a checkpoint comes each second. */
const KILLS = Array.from({ length: 10 }, (_, index) =>
  Math.floor(((index + Math.random()) / 10) * 0.9 * SIZE),
);

type Crashed = { readonly directory: string; readonly seed: number; readonly digest: Digest };

describe("a crash in the middle of a fill", { timeout: 120_000 }, () => {
  test(`F8: after SIGKILL at upstream byte ${KILLS.join(", ")} the map is honest and the rest completes the blob`, async () => {
    const bandwidth = { registry: 1.3 * MIB, cdn: undefined };
    const fake = await startFakeRegistry({ mode: "plain", settings: { bandwidth } });
    onTestFinished(() => fake.close());
    const crashed: Crashed[] = [];
    for (let at = 0; at < KILLS.length; at += 5)
      crashed.push(...(await Promise.all(KILLS.slice(at, at + 5).map((kill) => fillAndKill(fake, kill)))));
    fake.settings.bandwidth.registry = undefined;
    const saved: number[] = [];
    for (const each of crashed) saved.push(await checkMapAndResume(each, fake));
    // Late kills must have found something to keep, else this test proves nothing.
    expect(saved.filter((bytes) => bytes > 0).length).toBeGreaterThanOrEqual(3);
  });
});

async function fillAndKill(fake: FakeRegistry, afterBytes: number): Promise<Crashed> {
  const directory = await tempDirectory();
  const seed = 1_000 + KILLS.indexOf(afterBytes);
  const digest = fake.addGeneratedBlob({ seed, size: SIZE });
  const child = spawn(process.execPath, [PROGRAM, directory, fake.url, digest, String(SIZE)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  await once(child.stdout, "data");
  await vi.waitUntil(() => fake.bytesSentFor(digest) >= afterBytes, { interval: 5, timeout: 60_000 });
  child.kill("SIGKILL");
  expect(await exited).toEqual([null, "SIGKILL"]);
  return { directory, seed, digest };
}

/** Returns the bytes that the map claims. */
async function checkMapAndResume(crashed: Crashed, fake: FakeRegistry): Promise<number> {
  const { directory, seed, digest } = crashed;
  const saved = await checkMap(crashed);
  fake.forgetRequests();
  const { blob, fills, store } = await realFills({ directory, fake });
  expect(await blob(seed, SIZE).read()).toBe(SIZE);
  expect(fake.bytesSentFor(digest)).toBe(SIZE - saved);
  await expect.poll(() => fills.status()).toEqual([]);
  await fills.drain(5_000);
  const stored = await store.blobs.open(digest);
  expect(stored && digestOf(await readBytes(stored, 0, SIZE))).toBe(digest);
  await stored?.close();
  return saved;
}

async function checkMap({ directory, seed, digest }: Crashed): Promise<number> {
  const { spool } = await tempStore(directory);
  const partial = await spool.openPartial(owned(digest), SIZE);
  for (const range of partial.present) {
    const bytes = await readBytes(partial, range.start, lengthOf(range));
    expect(bytes.length).toBe(lengthOf(range));
    expect(firstDifference(seed, range.start, bytes)).toBeUndefined();
  }
  const { total } = partial.present;
  await partial.close();
  return total;
}
