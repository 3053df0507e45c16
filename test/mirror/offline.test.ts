/** An upstream that a person has set offline: what is stored is served, nothing is asked, and what was being fetched goes on later. */
import { expect, test } from "vitest";
import { MiB, startWorld, UPSTREAM } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";

test("what is stored is served whatever its age, a miss is told at once, and nothing is asked of the upstream", async () => {
  const world = await startWorld({ mode: "hub", upstream: { policy: { tagLifetimeMs: 0 } } });
  const image = world.fake.addImage("library/alpine", "3", { layers: [20_000, 30_000] });
  world.fake.addImage("library/other", "1", { layers: [10] });
  const [layer = "", cold = ""] = image.layerDigests;
  await world.get("library/alpine", "3");
  await world.read("library/alpine", layer);

  expect(await world.mirror.offline.set(true, undefined, true)).toEqual([UPSTREAM]);
  expect(world.mirror.offline.list()).toEqual([]);
  expect(await world.mirror.offline.set(true, UPSTREAM, false)).toEqual([UPSTREAM]);
  const asked = world.fake.requests.length;

  const stale = await world.get("library/alpine", "3");
  expect(stale).toMatchObject({ outcome: "stale", manifest: { digest: image.manifestDigest } });
  expect(stale.warning).toContain(`granary offline off ${UPSTREAM}`);
  expect(await world.read("library/alpine", layer)).toHaveLength(20_000);
  const refused = { code: "upstream-unavailable", message: expect.stringContaining("set offline") };
  await expect(world.get("library/other", "1")).rejects.toMatchObject(refused);
  await expect(world.head("library/alpine", "4")).rejects.toMatchObject(refused);
  await expect(world.read("library/alpine", cold)).rejects.toMatchObject(refused);
  await expect(world.tags("library/none")).rejects.toMatchObject(refused);
  expect(world.fake.requests.length).toBe(asked);
  expect((await world.mirror.status()).upstreams).toMatchObject([
    { name: UPSTREAM, circuit: "closed", offlineSince: expect.any(Number) },
  ]);

  await world.restart();
  await expect(world.get("library/other", "1")).rejects.toMatchObject(refused);
  expect(world.fake.requests.length).toBe(asked);

  expect(await world.mirror.offline.set(false, undefined, false)).toEqual([UPSTREAM]);
  expect((await world.get("library/other", "1")).outcome).toBe("miss");
  expect(await world.read("library/alpine", cold)).toHaveLength(30_000);
});

test("a tag that was asked for meanwhile is checked at once when the upstream is set back", async () => {
  const world = await startWorld({ mode: "hub", upstream: { policy: { tagLifetimeMs: 0 } } });
  world.fake.addImage("library/alpine", "3", { layers: [10] });
  await world.get("library/alpine", "3");
  await world.mirror.offline.set(true, UPSTREAM, false);
  expect((await world.get("library/alpine", "3")).outcome).toBe("stale");
  const { manifestDigest } = world.fake.addImage("library/alpine", "3", { layers: [20] });
  await world.mirror.offline.set(false, UPSTREAM, false);
  const answer = await world.get("library/alpine", "3");
  expect(answer).toMatchObject({ outcome: "miss", manifest: { digest: manifestDigest }, warning: undefined });
});

test("what failed before it was set offline is told as offline then", async () => {
  const world = await startWorld({ mode: "hub", upstream: { policy: { tagLifetimeMs: 0 } } });
  world.fake.addImage("library/alpine", "3", { layers: [10] });
  await world.get("library/alpine", "3");
  await world.fake.pause();
  expect((await world.get("library/alpine", "3")).warning).not.toContain("set offline");
  await world.mirror.offline.set(true, UPSTREAM, false);
  expect((await world.get("library/alpine", "3")).warning).toContain("set offline");
});

test.each(["waited", "warm"] as const)(
  "a running fill (%s) keeps what it has, and goes on when the upstream is set back",
  async (purpose) => {
    const world = await startWorld();
    const image = world.fake.addImage("library/alpine", "3", { layers: [8 * MiB] });
    const [layer = ""] = image.layerDigests;
    await world.get("library/alpine", "3");
    world.fake.fail(/blobs/, { kind: "stall", afterBytes: MiB / 2 }, { times: 1 });
    const { blob } = await world.open("library/alpine", layer, { purpose });
    const reader = blob.reader();
    const into = new Uint8Array(256 * 1024);
    let got = 0;
    const reading = (async () => {
      for (let count = await reader.read(into); count > 0; count = await reader.read(into)) got += count;
    })();
    await eventually(() => expect(got).toBeGreaterThan(0));
    await world.mirror.offline.set(true, UPSTREAM, false);
    await eventually(() => expect(world.fake.connections).toBe(0));
    const asked = world.fake.requests.length;
    const before = (await world.mirror.status()).fills[0];
    expect(before).toMatchObject({ state: "filling", readers: 1 });
    await expect(world.open("library/alpine", layer)).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(world.fake.requests.length).toBe(asked);
    await world.mirror.offline.set(false, UPSTREAM, false);
    await reading;
    expect(got).toBe(8 * MiB);
    // What was here is not fetched again.
    const sent = world.fake.requests.slice(asked).reduce((sum, { bytesSent }) => sum + bytesSent, 0);
    expect(sent).toBeLessThanOrEqual(8 * MiB - (before?.present ?? 0) + 64 * 1024);
    reader.close();
    blob.release();
  },
);

test("a name that no upstream has is told with those that there are", async () => {
  const world = await startWorld();
  await expect(world.mirror.offline.set(true, "dokcer.io", false)).rejects.toMatchObject({
    code: "route-unknown",
    message: expect.stringContaining(UPSTREAM),
  });
});
