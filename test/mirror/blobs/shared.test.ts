/** Shows whose request began a transfer, and whose was served from it: the difference between bytes from the internet and bytes saved. */
import { expect, test } from "vitest";
import { MiB, readAll, startWorld } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";

test("of eight clients that want a cold blob at once, one is a miss, seven share its transfer, and the next is a hit", async () => {
  const world = await startWorld();
  const digest = world.fake.addGeneratedBlob({ seed: 5, size: 3 * MiB });
  const outcomes = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { blob, outcome } = await world.open("a/b", digest);
      const reader = blob.reader();
      await readAll(reader);
      reader.close();
      blob.release();
      return outcome;
    }),
  );
  expect(outcomes.sort()).toEqual(["miss", ...Array(7).fill("shared")]);
  await world.fills(0);
  const { blob, outcome } = await world.open("a/b", digest);
  blob.release();
  expect(outcome).toBe("hit");
  expect(world.fake.bytesSentFor(digest)).toBe(3 * MiB);
});

test("a client that left before it read anything has begun nothing: the next one is a miss", async () => {
  const world = await startWorld();
  const digest = world.fake.addGeneratedBlob({ seed: 5, size: MiB });
  const first = await world.open("a/b", digest);
  expect(first.outcome).toBe("miss");
  first.blob.release();
  const second = await world.open("a/b", digest);
  expect(second.outcome).toBe("miss");
  second.blob.release();
});

test("a partial grows in disk_used_bytes as its bytes come in", async () => {
  const world = await startWorld();
  const digest = world.fake.addGeneratedBlob({ seed: 5, size: 8 * MiB });
  world.fake.fail(/blobs/, { kind: "stall", afterBytes: MiB - 1 }, { method: "GET", times: 100 });
  const used = async () => {
    await world.mirror.status();
    return await world.metric("disk_used_bytes");
  };
  const before = await used();
  const { blob } = await world.open("a/b", digest);
  const reader = blob.reader();
  expect(await reader.read(new Uint8Array(MiB))).toBeGreaterThan(0);
  await eventually(async () => expect((await used()) - before).toBeGreaterThanOrEqual(MiB / 2));
  expect((await used()) - before).toBeLessThan(8 * MiB);
  reader.close();
  blob.release();
});
