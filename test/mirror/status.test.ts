import { expect, test } from "vitest";
import type { BlobReader } from "../../src/source.ts";
import { startWorld } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";

test("the status names whom a fill serves: the tag, the client, the pull, and what for", async () => {
  const world = await startWorld();
  const image = world.fake.addImage("library/alpine", "3", { layers: [200_000] });
  const [layer = ""] = image.layerDigests;
  await world.get("library/alpine", "3");
  world.fake.fail(/blobs/, { kind: "stall", afterBytes: 70_000 }, { times: 1 });

  const warm = await world.open("library/alpine", layer, { purpose: "warm", tag: "3" });
  const warmed = warm.blob.reader();
  await warmed.read(new Uint8Array(1_000));
  const name = { repository: "library/alpine", tag: "3" };
  const [before] = (await world.mirror.status()).fills;
  expect(before).toMatchObject({
    purpose: "warm",
    upstream: "fake.test",
    readers: 1,
    serves: [{ ...name, purpose: "warm", readers: 1, since: expect.any(Number) }],
    runs: [{ start: 0, end: before?.present }],
    lanesAt: [before?.present],
    readersAt: [1_000],
  });

  const client = { client: "10.0.0.7", tag: "3", pull: "17" };
  const { blob } = await world.open("library/alpine", layer, client);
  const reader = blob.reader();
  const parked = readOn(reader);
  await eventually(async () => {
    expect((await world.mirror.status()).fills).toMatchObject([
      {
        purpose: "waited",
        readers: 2,
        serves: [
          { ...name, purpose: "warm", waiting: 0 },
          { ...name, ...client, purpose: "waited", readers: 1, waiting: 1 },
        ],
      },
    ]);
  });
  reader.close();
  await parked;
  blob.release();
  expect((await world.mirror.status()).fills).toMatchObject([{ purpose: "warm", readers: 1 }]);
  warmed.close();
  warm.blob.release();
  await world.fills(0);
});

async function readOn(reader: BlobReader): Promise<void> {
  const into = new Uint8Array(50_000);
  await expect(
    (async () => {
      while ((await reader.read(into)) > 0);
    })(),
  ).rejects.toMatchObject({ code: "closed" });
}

test("asking for the status brings the gauges of fills and waits up to date", async () => {
  const world = await startWorld();
  const image = world.fake.addImage("library/alpine", "3", { layers: [200_000] });
  const [layer = ""] = image.layerDigests;
  await world.get("library/alpine", "3");
  world.fake.fail(/blobs/, { kind: "stall", afterBytes: 0 }, { times: 1 });

  const { blob } = await world.open("library/alpine", layer);
  const reader = blob.reader();
  const parked = reader.read(new Uint8Array(1_000));
  parked.catch(() => {});
  await eventually(async () => {
    expect((await world.mirror.status()).fills).toMatchObject([
      { digest: layer, state: "filling", readers: 1, waits: 1 },
    ]);
  });
  const fills = await world.metrics.fills.get();
  expect(fills.values).toMatchObject([{ labels: { state: "filling" }, value: 1 }]);
  expect(await world.metric("waits")).toBe(1);

  reader.close();
  blob.release();
  await expect(parked).rejects.toMatchObject({ code: "closed" });
  await world.fills(0);
  await world.mirror.status();
  expect(await world.metric("fills")).toBe(0);
  expect(await world.metric("waits")).toBe(0);
});
