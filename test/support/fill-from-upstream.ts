/**
 * A program for crash tests: fills one blob from a registry into a storage directory until it is done or killed. Arguments:
 * directory, base URL of the registry, digest, size in bytes. Prints a line when the first bytes are readable.
 */
import { Fills } from "../../src/fill/fills.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { Episodes } from "../../src/observe/episodes.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { openDiskBlobs } from "../../src/store/disk-blobs.ts";
import { openSpool } from "../../src/store/spool.ts";
import { prepareLayout } from "../../src/store/storage-directory.ts";
import { createUpstreamClient } from "../../src/upstream/client.ts";
import { ENDLESS } from "./endless-room.ts";
import type { FakeRegistry } from "./fake-registry.ts";
import { upstreamOf } from "./upstream-of.ts";

const [directory = "", url = "", digestText = "", sizeText = ""] = process.argv.slice(2);
const digest = parseDigest(digestText);
const upstream = upstreamOf({ url, authUrl: url } as FakeRegistry);
const client = createUpstreamClient({ upstream });
const layout = await prepareLayout(directory);
const fills = new Fills({
  spool: openSpool(layout),
  blobs: openDiskBlobs(layout),
  clock: systemClock,
  log: silentLog,
  episodes: new Episodes(silentLog, systemClock),
  metrics: createMetrics(),
  random: Math.random,
  record: async () => {},
  takeRoom: () => ENDLESS,
  pin: () => () => undefined,
});
const origin = client.blobOrigin("library/test", digest);
const ask = { digest, upstream: upstream.name, size: Number(sizeText), origin, policy: upstream.policy };
const reader = fills.obtain(ask).reader();
const buffer = new Uint8Array(256 * 1024);
let total = 0;
for (let count = await reader.read(buffer); count > 0; count = await reader.read(buffer)) {
  if (total === 0) process.stdout.write("filling\n");
  total += count;
}
reader.close();
await fills.drain(10_000);
await client.close();
await layout.release();
