/** Shows that the nodes of a fleet cost their upstream one transfer, whatever dies, with the real parts over a fleet and a bucket in memory. */
import { describe, expect, onTestFinished, test } from "vitest";
import { blobLease } from "../../../src/fleet/fleet.ts";
import { objectKeyOf } from "../../../src/fleet/object-key.ts";
import { fleetNodes } from "../../support/fleet-nodes.ts";
import { SlowLine } from "../../support/slow-line.ts";

const MIB = 1024 * 1024;
const SLOW = { bandwidth: { registry: 8 * MIB, cdn: 8 * MIB } };

describe("a blob in a fleet", () => {
  test("G3: three nodes with ten clients each cost one transfer, and G8: each has its own verified copy", async () => {
    const { fake, bucket, shared, blob, node } = await fleetNodes();
    const nodes = await Promise.all(["a", "b", "c"].map((name) => node(name)));
    const it = blob(1, 40 * MIB);
    const counts = await Promise.all(nodes.flatMap(({ read }) => Array.from({ length: 10 }, () => read(it))));
    expect(new Set(counts)).toEqual(new Set([40 * MIB]));
    expect(fake.bytesSentFor(it.digest)).toBe(40 * MIB);
    for (const { store } of nodes)
      await expect.poll(() => store.blobs.stat(it.digest)).toEqual({ size: 40 * MIB });
    await expect.poll(() => shared.rows.blobs.get(it.digest)?.size).toBe(40 * MIB);
    const object = shared.rows.blobs.get(it.digest);
    expect(bucket.bytesOf(object?.objectKey ?? "")?.length).toBe(40 * MIB);
    expect(object?.objectKey).toBe(objectKeyOf(it.digest, object?.epoch ?? 0));
    expect(shared.rows.leases.size).toBe(0);
  });

  test("comes from the bucket to a node that asks later, and nothing of it from upstream", async () => {
    const { fake, shared, blob, node } = await fleetNodes();
    const a = await node("a");
    const it = blob(2, 20 * MIB);
    await a.read(it);
    await expect.poll(() => shared.rows.blobs.has(it.digest)).toBe(true);
    const b = await node("b");
    expect(await b.read(it)).toBe(20 * MIB);
    expect(fake.bytesSentFor(it.digest)).toBe(20 * MIB);
    expect(await b.read({ ...it }, { start: 5, end: 10 })).toBe(5);
  });

  test("of one small part goes to the bucket in one piece, and an empty one too", async () => {
    const { bucket, shared, blob, node } = await fleetNodes();
    const a = await node("a");
    const it = blob(3, 1000);
    await a.read(it);
    await expect.poll(() => shared.rows.blobs.has(it.digest)).toBe(true);
    expect(bucket.requests).toMatchObject({ begin: 0, put: 1 });
  });

  test("G3: parts far apart, asked of different nodes, cost one transfer", async () => {
    const { fake, blob, node } = await fleetNodes({ settings: SLOW });
    const nodes = await Promise.all(["a", "b", "c"].map((name) => node(name)));
    const it = blob(4, 24 * MIB);
    const part = 2 * MIB;
    const counts = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        nodes[index % 3]?.read(it, { start: index * part, end: (index + 1) * part }),
      ),
    );
    expect(counts).toEqual(Array(12).fill(part));
    expect(fake.bytesSentFor(it.digest)).toBeLessThanOrEqual(24 * MIB + 6 * MIB);
  });

  test("that is in the bucket with wrong bytes is fetched from upstream, and nobody gets a wrong byte (G8)", async () => {
    const { fake, bucket, shared, blob, node } = await fleetNodes();
    const a = await node("a");
    const it = blob(5, 9 * MIB);
    await a.read(it);
    await expect.poll(() => shared.rows.blobs.has(it.digest)).toBe(true);
    const key = shared.rows.blobs.get(it.digest)?.objectKey ?? "";
    bucket.bytesOf(key)?.fill(7, 9 * MIB - 100);
    const b = await node("b");
    await expect(b.read(it)).rejects.toThrow("hash to");
    expect(await b.read(it)).toBe(9 * MIB);
    expect(fake.bytesSentFor(it.digest)).toBe(2 * 9 * MIB);
    await expect.poll(() => shared.rows.blobs.get(it.digest)?.objectKey).not.toBe(key);
  });

  test("that is in the bucket in part, as salvage of a rebuilt database can be, is fetched and replaced", async () => {
    const { fake, bucket, shared, blob, node } = await fleetNodes();
    const a = await node("a");
    const it = blob(16, 9 * MIB);
    await a.read(it);
    await expect.poll(() => shared.rows.blobs.has(it.digest)).toBe(true);
    const row = shared.rows.blobs.get(it.digest);
    await bucket.put(row?.objectKey ?? "", new Uint8Array(8 * MIB));
    Object.assign(row ?? {}, { size: 8 * MIB });
    const b = await node("b");
    expect(await b.read(it)).toBe(9 * MIB);
    expect(fake.bytesSentFor(it.digest)).toBe(9 * MIB);
    await expect.poll(() => shared.rows.blobs.get(it.digest)?.size).toBe(9 * MIB);
    expect(bucket.bytesOf(shared.rows.blobs.get(it.digest)?.objectKey ?? "")?.length).toBe(9 * MIB);
  });

  test("whose object has gone is fetched anew, and stored again (attic #110)", async () => {
    const { fake, bucket, shared, blob, node } = await fleetNodes();
    const a = await node("a");
    const it = blob(6, 9 * MIB);
    await a.read(it);
    await expect.poll(() => shared.rows.blobs.has(it.digest)).toBe(true);
    const key = shared.rows.blobs.get(it.digest)?.objectKey ?? "";
    await bucket.remove([key]);
    const b = await node("b");
    expect(await b.read(it)).toBe(9 * MIB);
    expect(fake.bytesSentFor(it.digest)).toBe(2 * 9 * MIB);
    await expect
      .poll(() => bucket.bytesOf(shared.rows.blobs.get(it.digest)?.objectKey ?? "")?.length)
      .toBe(9 * MIB);
  });

  test("G4: whose node is cut off in the middle is taken over with what it had uploaded, and G12: the readers get a byte soon", async () => {
    const { fake, shared, blob, node } = await fleetNodes({ settings: SLOW, policy: { lanes: 2 } });
    const [a, b] = [await node("a"), await node("b")];
    const it = blob(7, 48 * MIB);
    const lost = expect(a.read(it)).rejects.toThrow();
    await expect.poll(() => [...shared.rows.leases.values()][0]?.upload).toBeDefined();
    const reading = b.read(it);
    await expect.poll(() => fake.bytesSentFor(it.digest)).toBeGreaterThan(24 * MIB);
    await a.cutOff();
    await a.fills.drain(0);
    await lost;
    expect(await reading).toBe(48 * MIB);
    // Lanes and uploads that were under way, a part of 8 MiB each, and what was on the wire.
    expect(fake.bytesSentFor(it.digest)).toBeLessThanOrEqual(48 * MIB + 6 * 8 * MIB);
  }, 60_000);

  test("that a node has left in the middle goes on at another from what it had uploaded", async () => {
    const { fake, shared, blob, node } = await fleetNodes({
      settings: SLOW,
      policy: { lingerMs: 0, lanes: 2 },
    });
    const [a, b] = [await node("a"), await node("b")];
    const it = blob(8, 40 * MIB);
    await a.read(it, { start: 0, end: 26 * MIB });
    await expect.poll(() => shared.rows.leases.values().next().value?.incarnation).toBe("");
    const before = fake.bytesSentFor(it.digest);
    expect(before).toBeLessThan(36 * MIB);
    expect(await b.read(it)).toBe(40 * MIB);
    expect(fake.bytesSentFor(it.digest) - before).toBeLessThanOrEqual(40 * MIB - 16 * MIB);
  }, 60_000);

  test("that a node and then its successor have left goes on at a third from what the first had uploaded", async () => {
    const { fake, bucket, shared, blob, node } = await fleetNodes({
      settings: SLOW,
      policy: { lingerMs: 0, lanes: 2 },
    });
    const [a, b, c] = [await node("a"), await node("b"), await node("c")];
    const it = blob(17, 40 * MIB);
    const keys = async () => {
      const found: string[] = [];
      for await (const { key } of bucket.list("blobs/")) found.push(key);
      return found;
    };
    const lease = () => shared.rows.leases.values().next().value;
    await a.read(it, { start: 0, end: 26 * MIB });
    await expect.poll(() => lease()?.incarnation).toBe("");
    const first = lease();
    const key = first?.upload?.objectKey ?? "";
    // The second one makes an object of that, and goes before it has brought any of it to the bucket again.
    await b.read(it, { start: 39 * MIB, end: 40 * MIB });
    await expect.poll(() => lease()?.incarnation).toBe("");
    expect(lease()?.epoch).toBeGreaterThan(first?.epoch ?? 0);
    expect(await keys()).toEqual([key, `${key}.parts`]);
    const salvaged = bucket.bytesOf(key)?.length ?? 0;
    expect(salvaged).toBeGreaterThanOrEqual(16 * MIB);
    const before = fake.bytesSentFor(it.digest);
    expect(await c.read(it)).toBe(40 * MIB);
    expect(fake.bytesSentFor(it.digest) - before).toBeLessThanOrEqual(40 * MIB - salvaged);
    // What was salvaged is of no use any more.
    await expect.poll(() => shared.rows.blobs.has(it.digest)).toBe(true);
    await expect.poll(keys).toEqual([shared.rows.blobs.get(it.digest)?.objectKey]);
  }, 60_000);

  test.each(["", "not JSON", "[1, 2]", "[4000]", `["1", null, 1.5]`])(
    "whose salvage is said to be of the parts %j, which it is not, is fetched",
    async (text) => {
      const { fake, bucket, shared, blob, node } = await fleetNodes({ policy: { lingerMs: 0 } });
      const [a, b] = [await node("a"), await node("b")];
      const it = blob(18, 9 * MIB);
      const lease = await a.fleet.acquire(blobLease("fake.test", it.digest));
      const key = objectKeyOf(it.digest, lease?.epoch ?? 0);
      await bucket.put(key, new Uint8Array(8 * MIB));
      await bucket.put(`${key}.parts`, Buffer.from(text));
      await lease?.park();
      expect(await b.read(it)).toBe(9 * MIB);
      expect(fake.bytesSentFor(it.digest)).toBe(9 * MIB);
      await expect.poll(() => shared.rows.blobs.get(it.digest)?.size).toBe(9 * MIB);
    },
  );
});

describe("while something is away", () => {
  test("the database: each node goes on alone, and says so in its counts", async () => {
    const { fake, shared, blob, node } = await fleetNodes();
    const nodes = await Promise.all(["a", "b"].map((name) => node(name)));
    shared.database.away = true;
    const it = blob(11, 10 * MIB);
    expect(await Promise.all(nodes.map(({ read }) => read(it)))).toEqual([10 * MIB, 10 * MIB]);
    expect(fake.bytesSentFor(it.digest)).toBe(20 * MIB);
    for (const { unshared } of nodes) await expect.poll(() => unshared).toEqual([it.digest]);
    const alone = await nodes[0]?.metrics.fleetAlone.get();
    expect(alone?.values.find(({ labels }) => labels.why === "database")?.value).toBeGreaterThan(0);
  });

  test("the database, in the middle: what runs goes on, with no byte twice at the node that brings it", async () => {
    const { fake, shared, blob, node } = await fleetNodes({ settings: SLOW });
    const [a, b] = [await node("a"), await node("b")];
    const it = blob(12, 40 * MIB);
    const reading = [a.read(it), b.read(it)];
    await expect.poll(() => fake.bytesSentFor(it.digest)).toBeGreaterThan(8 * MIB);
    shared.database.away = true;
    expect(await Promise.all(reading)).toEqual([40 * MIB, 40 * MIB]);
    expect(fake.bytesSentFor(it.digest)).toBeLessThanOrEqual(2 * 40 * MIB);
  }, 60_000);

  test("the bucket: blobs are filled and served, and nodes read from each other", async () => {
    const { fake, bucket, blob, node } = await fleetNodes();
    const nodes = await Promise.all(["a", "b", "c"].map((name) => node(name)));
    bucket.away = true;
    const it = blob(13, 20 * MIB);
    expect(await Promise.all(nodes.map(({ read }) => read(it)))).toEqual(Array(3).fill(20 * MIB));
    expect(fake.bytesSentFor(it.digest)).toBe(20 * MIB);
    bucket.away = false;
  });

  test("the bucket: what it alone would have comes from a node that has it on its disk", async () => {
    const { fake, bucket, shared, blob, node } = await fleetNodes();
    const a = await node("a");
    const it = blob(14, 9 * MIB);
    await a.read(it);
    await expect.poll(() => shared.rows.blobs.has(it.digest)).toBe(true);
    bucket.away = true;
    const b = await node("b");
    expect(await b.read(it)).toBe(9 * MIB);
    expect(fake.bytesSentFor(it.digest)).toBe(9 * MIB);
    bucket.away = false;
  });

  test("a node that lives and cannot be reached: it is waited for as long as a heartbeat lives, then each goes on alone", async () => {
    const { fake, shared, blob, node } = await fleetNodes({ settings: SLOW, policy: { lanes: 1 } });
    const a = await node("a", () => "http://127.0.0.1:1");
    const it = blob(15, 96 * MIB);
    const reading = a.read(it);
    await expect.poll(() => shared.rows.leases.size).toBe(1);
    const b = await node("b");
    expect(await b.read(it, { start: 0, end: MIB })).toBe(MIB);
    const alone = await b.metrics.fleetAlone.get();
    expect(alone.values.find(({ labels }) => labels.why === "holder")?.value).toBeGreaterThan(0);
    await reading;
    expect(fake.bytesSentFor(it.digest)).toBeGreaterThanOrEqual(97 * MIB);
  }, 60_000);

  test("G12: a node that falls silent in the middle, and lives: its follower goes on alone within the lifetime of a heartbeat and 5 s", async () => {
    const { fake, blob, node } = await fleetNodes({ settings: SLOW, policy: { lanes: 1 } });
    const line = new SlowLine();
    onTestFinished(() => line.close());
    const a = await node("a", async (address) => {
      const { hostname: host, port } = new URL(address);
      return `http://${host}:${(await line.front({ host, port: Number(port) })).port}`;
    });
    const b = await node("b");
    const it = blob(16, 256 * MIB);
    const filling = a.read(it).catch(() => undefined);
    await expect.poll(() => a.transfers.held).toHaveLength(1);
    const following = b.read(it, { start: 0, end: 12 * MIB });
    await expect.poll(() => fake.bytesSentFor(it.digest)).toBeGreaterThan(8 * MIB);
    await line.away("silent");
    const since = performance.now();
    const timesAlone = async () =>
      (await b.metrics.fleetAlone.get()).values.find(({ labels }) => labels.why === "holder")?.value ?? 0;
    await expect.poll(timesAlone, { interval: 20 }).toBeGreaterThan(0);
    // From then on it has a line of its own; how fast that brings the last 4 MiB is the machine's.
    expect(performance.now() - since).toBeLessThan(9_000);
    expect(await following).toBe(12 * MIB);
    expect(a.transfers.held).toHaveLength(1);
    await a.fills.drain(0);
    await filling;
  }, 60_000);
});
