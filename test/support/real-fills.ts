/**
 * Owns a Fill engine made of the real parts for one test: a store on the disk, an upstream client over loopback HTTP, the
 * system's clock. The test's end drains it and closes everything.
 */
import { onTestFinished } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { Fills } from "../../src/fill/fills.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { Episodes } from "../../src/observe/episodes.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { Digest } from "../../src/oci/digest.ts";
import type { Wanting } from "../../src/purpose.ts";
import type { BlobReader } from "../../src/source.ts";
import { createUpstreamClient } from "../../src/upstream/client.ts";
import type { Bandwidth } from "../../src/upstream/network/bandwidth.ts";
import type { Policy } from "../../src/upstream/policy.ts";
import { ENDLESS } from "./endless-room.ts";
import { type FakeRegistry, type FakeSettings, startFakeRegistry } from "./fake-registry.ts";
import { firstDifference } from "./pattern.ts";
import { putBehind } from "./slow-line/publish.ts";
import type { SlowLine } from "./slow-line.ts";
import { type TempStore, tempStore } from "./temp-store.ts";
import { upstreamOf } from "./upstream-of.ts";

export type RealFills = {
  readonly fake: FakeRegistry;
  readonly fills: Fills;
  readonly store: TempStore;
  readonly recorded: Digest[];
  /** Adds the pattern `seed` of `size` bytes to the upstream and returns a way to obtain its Fill. */
  blob(seed: number, size: number): FilledBlob;
};

type FilledBlob = {
  readonly digest: Digest;
  readonly reader: (range?: ByteRange, wanting?: Wanting) => BlobReader;
  /** Reads to the end, checks every byte, and returns how many there were. */
  readonly read: (range?: ByteRange, readBytes?: number, wanting?: Wanting) => Promise<number>;
};

type Options = {
  readonly settings?: Partial<FakeSettings>;
  readonly policy?: Partial<Policy>;
  /** The registry is behind it. */
  readonly line?: SlowLine;
  /** What its requests pay to. */
  readonly bandwidth?: Bandwidth;
  /** An earlier store's directory; a new one by default. */
  readonly directory?: string;
  readonly fake?: FakeRegistry;
};

export async function realFills(options: Options = {}): Promise<RealFills> {
  const { settings, policy, directory } = options;
  const fake = options.fake ?? (await startFakeRegistry({ mode: "plain", ...(settings && { settings }) }));
  if (options.fake === undefined) onTestFinished(() => fake.close());
  if (options.line !== undefined) await putBehind(options.line, fake);
  const store = await tempStore(directory);
  const upstream = upstreamOf(fake, { ...(policy && { policy }) });
  const client = createUpstreamClient({
    upstream,
    ...(options.bandwidth && { bandwidth: options.bandwidth }),
  });
  onTestFinished(() => client.close());
  const recorded: Digest[] = [];
  const fills = new Fills({
    spool: store.spool,
    blobs: store.blobs,
    clock: systemClock,
    log: silentLog,
    episodes: new Episodes(silentLog, systemClock),
    metrics: createMetrics(),
    random: Math.random,
    record: async (digest) => void recorded.push(digest),
    takeRoom: () => ENDLESS,
    pin: () => () => undefined,
  });
  onTestFinished(() => fills.drain(5_000));

  const blob = (seed: number, size: number): FilledBlob => {
    const digest = fake.addGeneratedBlob({ seed, size });
    const reader = (range?: ByteRange, wanting?: Wanting) => {
      const origin = client.blobOrigin("library/test", digest);
      return fills
        .obtain({ digest, upstream: upstream.name, size, origin, policy: upstream.policy })
        .reader(range, undefined, wanting);
    };
    const read = (range?: ByteRange, readBytes = 256 * 1024, wanting?: Wanting) =>
      readChecked(reader(range, wanting), seed, range?.start ?? 0, readBytes);
    return { digest, reader, read };
  };
  return { fake, fills, store, recorded, blob };
}

async function readChecked(
  reader: BlobReader,
  seed: number,
  start: number,
  readBytes: number,
): Promise<number> {
  const buffer = Buffer.alloc(readBytes);
  let at = start;
  try {
    for (let count = await reader.read(buffer); count > 0; count = await reader.read(buffer)) {
      const wrong = firstDifference(seed, at, buffer.subarray(0, count));
      if (wrong !== undefined) throw new Error(`byte ${wrong} is wrong`);
      at += count;
    }
  } finally {
    reader.close();
  }
  return at - start;
}
