/**
 * Owns several nodes of a fleet in one process, for one test: each with its own disk, fills, transfers and internal listener, over one fleet and one
 * bucket in memory and one real registry on loopback. What only a process can show (kill, freeze) is for test/services.
 */
import { onTestFinished } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { Fills } from "../../src/fill/fills.ts";
import type { NodeFleet } from "../../src/fleet/leases/node-fleet.ts";
import { Peers } from "../../src/fleet/peers/peers.ts";
import { FleetTransfers } from "../../src/fleet/transfers/fleet-transfers.ts";
import type { TransferParts } from "../../src/fleet/transfers/transfer-parts.ts";
import { listenInternally } from "../../src/http/internal/internal-listener.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { Episodes } from "../../src/observe/episodes.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import type { Digest } from "../../src/oci/digest.ts";
import { createUpstreamClient } from "../../src/upstream/client.ts";
import type { Policy } from "../../src/upstream/policy.ts";
import { Semaphore } from "../../src/waiting/semaphore.ts";
import { ENDLESS } from "./endless-room.ts";
import { type FakeRegistry, type FakeSettings, startFakeRegistry } from "./fake-registry.ts";
import { MemoryBucket } from "./memory-bucket.ts";
import { memoryFleet } from "./memory-fleet.ts";
import { firstDifference } from "./pattern.ts";
import { type TempStore, tempStore } from "./temp-store.ts";
import { upstreamOf } from "./upstream-of.ts";

export const SECRET = "a secret of thirty-two characters";

type FleetNode = {
  readonly name: string;
  readonly fills: Fills;
  readonly fleet: NodeFleet;
  readonly transfers: FleetTransfers;
  readonly store: TempStore;
  readonly metrics: ReturnType<typeof createMetrics>;
  readonly address: string;
  readonly parts: TransferParts;
  /** Blobs of this node that the fleet does not get from a transfer. */
  readonly unshared: Digest[];
  /** Reads to the end, checks every byte, and returns how many there were. */
  read(blob: TestBlob, range?: ByteRange): Promise<number>;
  /** From now on it reaches neither the database nor does anybody reach it. */
  cutOff(): Promise<void>;
};

type TestBlob = { readonly seed: number; readonly size: number; readonly digest: Digest };

export type FleetNodes = {
  readonly fake: FakeRegistry;
  readonly bucket: MemoryBucket;
  readonly secret: string;
  readonly shared: ReturnType<typeof memoryFleet>;
  /** Adds the pattern `seed` to the registry. */
  blob(seed: number, size: number): TestBlob;
  /** `told`: the address that it tells the others, given its own. */
  node(name: string, told?: (address: string) => Promise<string> | string): Promise<FleetNode>;
};

type Options = { readonly settings?: Partial<FakeSettings>; readonly policy?: Partial<Policy> };

export async function fleetNodes({ settings, policy }: Options = {}): Promise<FleetNodes> {
  const fake = await startFakeRegistry({ mode: "plain", ...(settings && { settings }) });
  onTestFinished(() => fake.close());
  const bucket = new MemoryBucket(systemClock);
  const shared = memoryFleet({ clock: systemClock });
  return {
    ...{ fake, bucket, shared, secret: SECRET },
    blob: (seed, size) => ({ seed, size, digest: fake.addGeneratedBlob({ seed, size }) }),
    node: async (name, told) => {
      const clock = systemClock;
      const store = await tempStore();
      const metrics = createMetrics();
      const peers = new Peers({ clock, secret: SECRET, tls: undefined });
      let transfers: FleetTransfers | undefined;
      const listener = await listenInternally(
        { port: 0, host: "127.0.0.1", secret: SECRET, tls: undefined },
        {
          ...{ node: name, clock, log: silentLog, metrics },
          transfers: {
            filling: async (...asked) => await transfers?.filling(...asked),
            kept: async (...asked) => await transfers?.kept(...asked),
            map: async (...asked) => await transfers?.map(...asked),
          },
          records: async (question) => ({ asked: question }),
        },
      );
      const own = `http://127.0.0.1:${listener.port}`;
      const address = (await told?.(own)) ?? own;
      const fleet = await shared.node(name, { address });
      const common = { clock, log: silentLog, episodes: new Episodes(silentLog, clock), metrics };
      const parts = { ...common, fleet, bucket, peers, blobs: store.blobs, uploads: new Semaphore(4) };
      const unshared: Digest[] = [];
      const opened = new FleetTransfers(parts, (digest) => unshared.push(digest));
      transfers = opened;
      const upstream = upstreamOf(fake, { ...(policy && { policy }) });
      const client = createUpstreamClient({ upstream });
      const fills = new Fills({
        ...{ ...common, spool: store.spool, blobs: store.blobs, random: Math.random, follower: opened },
        record: async () => undefined,
        takeRoom: () => ENDLESS,
        pin: () => () => undefined,
      });
      opened.serve(fills);
      onTestFinished(async () => {
        await fills.drain(5_000);
        await opened.close();
        await listener.close();
        await fleet.close();
        await Promise.all([peers.close(), client.close()]);
      });
      const readerOf = ({ digest, size }: TestBlob, range?: ByteRange) => {
        const key = { digest, upstream: upstream.name };
        const origin = opened.origin(key, client.blobOrigin("library/test", digest));
        return fills.obtain({ ...key, size, origin, policy: upstream.policy }).reader(range);
      };
      return {
        ...{ name, fills, fleet, transfers: opened, store, metrics, address, unshared, parts },
        read: async (blob, range) => {
          const reader = readerOf(blob, range);
          const buffer = Buffer.alloc(256 * 1024);
          let at = range?.start ?? 0;
          try {
            for (let count = await reader.read(buffer); count > 0; count = await reader.read(buffer)) {
              const wrong = firstDifference(blob.seed, at, buffer.subarray(0, count));
              if (wrong !== undefined) throw new Error(`byte ${wrong} is wrong`);
              at += count;
            }
          } finally {
            reader.close();
          }
          return at - (range?.start ?? 0);
        },
        cutOff: async () => {
          shared.cuts.add(name);
          await listener.close();
        },
      };
    },
  };
}
