import { expect, test } from "vitest";
import { startWorld } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";

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
