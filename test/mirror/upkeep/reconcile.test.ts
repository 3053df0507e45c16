/** Shows what a look through a store makes of files and rows that others are at meanwhile. */
import { expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../../../src/metadata/database.ts";
import { Damage } from "../../../src/mirror/space/damage.ts";
import { Ownership } from "../../../src/mirror/space/ours-alone.ts";
import { Pins } from "../../../src/mirror/space/pins.ts";
import { Space } from "../../../src/mirror/space/space.ts";
import { Uses } from "../../../src/mirror/space/uses.ts";
import { Reconciliation } from "../../../src/mirror/upkeep/reconcile.ts";
import { SoundBlobs } from "../../../src/mirror/upkeep/sound-blobs.ts";
import { Episodes } from "../../../src/observe/episodes.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { Trouble } from "../../../src/observe/troubles.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { adoptPattern, tempStore } from "../../support/temp-store.ts";

async function world() {
  const { layout, blobs, spool } = await tempStore();
  const metadata = openDatabase(layout.database).metadata;
  onTestFinished(() => metadata.close());
  const [clock, log, metrics] = [new FakeClock(), silentLog, createMetrics()];
  const troubles = new Episodes<Trouble>(log, clock, Number.POSITIVE_INFINITY);
  const damage = new Damage({ log, metrics, troubles });
  const [pins, uses] = [new Pins(metrics), new Uses(metadata, clock, log)];
  const budget = { maxSize: 2 ** 40, minFree: 0 };
  const shared = { metadata, blobs, spool, pins, clock, log, metrics, troubles };
  const isKept = async () => false;
  const space = new Space({ ...shared, isKept, uses, damage, budget, ownership: new Ownership() });
  const sound = new SoundBlobs({ store: blobs, metadata, pins, damage, clock, log });
  const reconciliation = new Reconciliation({ ...shared, sound, space });
  onTestFinished(() => reconciliation.stop());
  return { layout, blobs, spool, metadata, pins, reconciliation, troubles };
}

test("a file whose row is gone because it is being evicted is not registered again; one that merely has none is", async () => {
  const { layout, blobs, spool, metadata, pins, reconciliation } = await world();
  const leaving = await adoptPattern({ layout, blobs, spool }, 1, 1_000);
  const lost = await adoptPattern({ layout, blobs, spool }, 2, 1_000);
  const over = pins.leave([leaving]);
  await reconciliation.begin();
  expect((await metadata.blobsAfter("", 10)).map(({ digest }) => digest)).toEqual([lost]);
  over();
  await reconciliation.begin();
  expect((await metadata.sums()).blobs).toBe(2);
});

test("what a fill has just brought keeps its own row, and a row whose blob is about to come is not forgotten", async () => {
  const { layout, blobs, spool, metadata, pins, reconciliation } = await world();
  const brought = await adoptPattern({ layout, blobs, spool }, 1, 1_000);
  const coming = digestOf(Buffer.from("coming"));
  await metadata.recordBlob({ digest: coming, size: 5, usedAt: 1 });
  const unpin = [brought, coming].map((digest) => pins.pinFill(digest));
  await reconciliation.begin();
  expect((await metadata.blobsAfter("", 10)).map(({ digest }) => digest)).toEqual([coming]);
  for (const release of unpin) release();
  await reconciliation.begin();
  expect((await metadata.blobsAfter("", 10)).map(({ digest }) => digest)).toEqual([brought]);
});

test("it begins again while it is at it, ends when it is told to, and both more than once", async () => {
  const { layout, blobs, spool, metadata, reconciliation, troubles } = await world();
  for (let seed = 0; seed < 20; seed++) await adoptPattern({ layout, blobs, spool }, seed, 100);
  await Promise.all([reconciliation.begin(), reconciliation.begin()]);
  await reconciliation.stop();
  await reconciliation.stop();
  await reconciliation.begin();
  expect((await metadata.sums()).blobs).toBe(20);
  expect(troubles.current).toEqual([]);
});
