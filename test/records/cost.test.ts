/** What records may cost those who are served: nothing is written while they are, and what is kept in memory has bounds. */
import { expect, test } from "vitest";
import type { RecordRows } from "../../src/metadata/record-rows.ts";
import { imageOf, recordsWorld } from "../support/records-world.ts";

const image = imageOf("alpine", [10, 200, 300]);
const [layer = image.digest] = image.blobs;

test("hits write nothing and set no timer of their own, however many they are", async () => {
  let writes = 0;
  const counted = (real: RecordRows): RecordRows => ({
    ...real,
    write: (batch) => {
      writes += 1;
      real.write(batch);
    },
  });
  const world = await recordsWorld({ rows: counted });
  world.manifest(image, { tag: "3" });
  const { timers } = world.clock;
  for (let hit = 0; hit < 2_000; hit++) {
    world.head(image, "3");
    world.manifest(image, { tag: "3" });
    world.manifest(image, "digest");
    world.blob(layer, 10);
  }
  expect(writes).toBe(0);
  expect(world.clock.timers).toBe(timers);
  await world.clock.advance(5_000);
  expect(writes).toBe(1);
});

test("clients with ever new addresses keep a bounded number of pulls in memory", async () => {
  const world = await recordsWorld();
  const { pulls } = world.records;
  for (let client = 0; client < 6_000; client++) {
    world.manifest(image, { tag: "3" }, { client: `2001:db8::${client.toString(16)}` });
    if (client % 1_500 === 0) await world.clock.advance(5_000);
  }
  expect(pulls.running.length).toBeLessThanOrEqual(1_000);
  expect(pulls.unwritten().length).toBeLessThanOrEqual(3_000);
  await world.clock.advance(5_000);
  expect(pulls.unwritten().length).toBe(0);
});
