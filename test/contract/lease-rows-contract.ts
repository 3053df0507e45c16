/** Owns the contract of every LeaseRows: what fleet/leases/lease-rows.ts promises, run once per database. */
import { describe, expect, test } from "vitest";
import type { LeaseName, LeaseRows, NodeProcess, Tidying } from "../../src/fleet/leases/lease-rows.ts";
import { parseDigest } from "../../src/oci/digest.ts";

const DIGEST = parseDigest(`sha256:${"a".repeat(64)}`);
const KEY = "blob\nhub\na";
const LONG_MS = 600_000;
const SHORT_MS = 1_500;

type Opened = {
  readonly rows: LeaseRows;
  /** Lets `SHORT_MS` pass by the database's clock. */
  expire(): Promise<void>;
  /** Marks the object as about to be deleted. */
  doom(): Promise<void>;
  /** Whether it is still marked so. */
  isDoomed(): Promise<boolean>;
};

/** `open` gives rows in an empty database. */
export function leaseRowsContract(backend: string, open: () => Promise<Opened>): void {
  const process = (node: string, incarnation = "1"): NodeProcess => ({ node, incarnation });
  const beat = (rows: LeaseRows, by: NodeProcess, lifetimeMs = LONG_MS, tidying?: Tidying) =>
    rows.beat({
      ...{ ...by, lifetimeMs, tidying, isRenewal: false, zone: undefined },
      address: `http://${by.node}`,
      version: "1.0.0",
      told: { load: [1] },
    });

  async function given(rows: LeaseRows, by: NodeProcess, key = KEY): Promise<LeaseName> {
    const lease = await rows.acquire(key, by);
    if (lease === undefined) throw new Error("The lease was not given.");
    return { ...by, key, epoch: lease.epoch };
  }

  /** `a` has a lease, and its heartbeat has expired. */
  async function leftAlone() {
    const opened = await open();
    const { rows } = opened;
    await beat(rows, process("a"), SHORT_MS);
    const lease = await given(rows, process("a"));
    await rows.noteUpload(lease, { objectKey: "o/1", uploadId: "u" });
    await opened.expire();
    await beat(rows, process("b"));
    return { ...opened, lease };
  }

  describe(`${backend}: heartbeats`, () => {
    test("say what was known of the name before", async () => {
      const { rows, expire } = await open();
      expect(await beat(rows, process("a"), SHORT_MS)).toMatchObject({ was: "gone", pauses: [] });
      expect(await beat(rows, process("a"), SHORT_MS)).toMatchObject({ was: "live" });
      expect(await beat(rows, process("a", "2"))).toMatchObject({ was: "taken" });
      await expire();
      expect(await beat(rows, process("a", "2"))).toMatchObject({ was: "gone" });
      expect(await beat(rows, process("a", "1"))).toMatchObject({ was: "taken" });
    });

    test("that renew what is gone write nothing, each time", async () => {
      const { rows, expire } = await open();
      const about = { address: "a", zone: undefined, version: "1", told: {}, tidying: undefined };
      const renew = (by = process("a")) =>
        rows.beat({ ...about, ...by, lifetimeMs: LONG_MS, isRenewal: true });
      for (let times = 0; times < 2; times++) expect(await renew()).toMatchObject({ was: "gone" });
      expect(await rows.members()).toEqual([]);
      await beat(rows, process("a"), SHORT_MS);
      expect(await renew(process("a", "2"))).toMatchObject({ was: "taken" });
      await expire();
      expect(await renew()).toMatchObject({ was: "gone" });
      await beat(rows, process("a"));
      expect(await renew()).toMatchObject({ was: "live" });
    });

    test("are seen by people, in the order of names", async () => {
      const { rows, expire } = await open();
      await beat(rows, process("b"), SHORT_MS);
      await expire();
      await beat(rows, process("a"));
      const [a, b, ...others] = await rows.members();
      expect(others).toEqual([]);
      expect(a).toMatchObject({ node: "a", address: "http://a", isLive: true, told: { load: [1] } });
      expect(b).toMatchObject({ node: "b", version: "1.0.0", zone: undefined, isLive: false });
      expect(b?.silentMs).toBeGreaterThanOrEqual(SHORT_MS);
    });

    test("tell for how long an upstream is not to be asked, and the longest pause counts", async () => {
      const { rows } = await open();
      await rows.pause("hub", 60_000);
      await rows.pause("hub", 1_000);
      const { pauses } = await beat(rows, process("a"));
      expect(pauses.map(({ upstream }) => upstream)).toEqual(["hub"]);
      expect(pauses[0]?.forMs).toBeGreaterThan(50_000);
      expect(pauses[0]?.forMs).toBeLessThanOrEqual(60_000);
    });

    test("clear away what their process knows nothing of, and nothing newer or of others", async () => {
      const { rows } = await open();
      for (const node of ["a", "b"]) await beat(rows, process(node));
      await given(rows, process("a"), "unknown");
      const kept = await given(rows, process("a"), "kept");
      await given(rows, process("b"), "other");
      const { epoch } = await beat(rows, process("a"));
      expect(epoch).toBe(kept.epoch + 1);
      await given(rows, process("a"), "newer");
      await beat(rows, process("a"), LONG_MS, { upTo: epoch, keep: [kept.epoch] });
      const keys = (await rows.leases(10)).map(({ key }) => key);
      expect(keys).toEqual(["kept", "other", "newer"]);
    });
  });

  describe(`${backend}: a lease`, () => {
    test("G1: is given to one, once, and only to one whose heartbeat lives", async () => {
      const { rows } = await open();
      expect(await rows.acquire(KEY, process("a"))).toBeUndefined();
      await beat(rows, process("a"));
      await beat(rows, process("b"));
      const { epoch } = await given(rows, process("a"));
      expect(await rows.acquire(KEY, process("a"))).toBeUndefined();
      expect(await rows.acquire(KEY, process("b"))).toBeUndefined();
      expect(await rows.holder(KEY)).toEqual({ ...process("a"), address: "http://a", epoch });
      expect(await rows.resolve(DIGEST, KEY)).toMatchObject({ holder: { node: "a", epoch } });
    });

    test("is anybody's when its holder is silent for too long, and says what was left", async () => {
      const { rows, lease } = await leftAlone();
      expect(await rows.holder(KEY)).toBeUndefined();
      expect(await rows.resolve(DIGEST, KEY)).toEqual({});
      const next = await rows.acquire(KEY, process("b"));
      expect(next?.left).toEqual({
        node: lease.node,
        epoch: lease.epoch,
        upload: { objectKey: "o/1", uploadId: "u" },
      });
      expect(next?.epoch).toBeGreaterThan(lease.epoch);
      expect(await rows.noteUpload(lease, { objectKey: "o/2", uploadId: "v" })).toBe(false);
      await rows.release(lease);
      expect(await rows.holder(KEY)).toMatchObject({ node: "b" });
    });

    test("leaves nothing when it was released, and says who had it where nothing was noted", async () => {
      const { rows, expire } = await open();
      await beat(rows, process("a"));
      await rows.release(await given(rows, process("a")));
      expect((await rows.acquire(KEY, process("a")))?.left).toBeUndefined();
      await beat(rows, process("a"), SHORT_MS);
      await expire();
      await beat(rows, process("b"));
      expect((await rows.acquire(KEY, process("b")))?.left).toMatchObject({ node: "a", upload: undefined });
    });

    test("ends with its process", async () => {
      const { rows } = await open();
      await beat(rows, process("a"));
      await given(rows, process("a"));
      await rows.leave(process("a", "2"));
      expect(await rows.leases(1)).toMatchObject([{ key: KEY, holder: { node: "a" } }]);
      await rows.leave(process("a"));
      expect(await rows.leases(1)).toEqual([]);
      expect(await rows.members()).toEqual([]);
    });
  });

  describe(`${backend}: an object`, () => {
    const object = { digest: DIGEST, size: 2 ** 40, objectKey: "o/1" };

    async function withObject() {
      const opened = await open();
      await beat(opened.rows, process("a"));
      const lease = await given(opened.rows, process("a"));
      expect(await opened.rows.commit(lease, object)).toBe(true);
      return { ...opened, lease, stored: { ...object, epoch: lease.epoch } };
    }

    test("G5: is known with the end of the lease, however often that is said", async () => {
      const { rows, lease, stored } = await withObject();
      expect(await rows.holder(KEY)).toBeUndefined();
      expect(await rows.resolve(DIGEST, KEY)).toEqual({ object: stored });
      expect(await rows.commit(lease, object)).toBe(true);
    });

    test("G13: is not made known by whose lease another one has", async () => {
      const { rows, lease } = await leftAlone();
      await rows.acquire(KEY, process("b"));
      expect(await rows.commit(lease, object)).toBe(false);
      expect(await rows.holder(KEY)).toMatchObject({ node: "b" });
      expect(await rows.resolve(DIGEST, KEY)).not.toHaveProperty("object");
    });

    test("stays the known one, and is revived, when another one comes", async () => {
      const { rows, stored, doom, isDoomed } = await withObject();
      await doom();
      const other = await given(rows, process("a"));
      expect(await rows.commit(other, { ...object, objectKey: "o/2" })).toBe(false);
      expect(await isDoomed()).toBe(false);
      expect(await rows.holder(KEY)).toBeUndefined();
      expect(await rows.resolve(DIGEST, KEY)).toEqual({ object: stored });
    });

    test("that is about to be deleted is revived by who asks", async () => {
      const { rows, stored, doom, isDoomed } = await withObject();
      await doom();
      expect(await rows.resolve(DIGEST, KEY)).toEqual({ object: stored });
      expect(await isDoomed()).toBe(false);
    });

    test("is forgotten only by its epoch", async () => {
      const { rows, stored } = await withObject();
      await rows.forget({ ...stored, epoch: stored.epoch + 1 });
      expect(await rows.resolve(DIGEST, KEY)).toEqual({ object: stored });
      await rows.forget(stored);
      expect(await rows.resolve(DIGEST, KEY)).toEqual({});
    });
  });

  test.each([1, 1_000_000])(`${backend}: epochs are raised by %i, and never set back`, async (by) => {
    const { rows } = await open();
    await beat(rows, process("a"));
    await rows.raiseEpochs(0);
    const { epoch } = await given(rows, process("a"), "1");
    expect(epoch).toBeGreaterThan(1_600_000_000_000);
    // The date goes on meanwhile.
    const above = epoch + 3_600_000 + by;
    await rows.raiseEpochs(above);
    expect((await given(rows, process("a"), "2")).epoch).toBe(above + 1);
    await rows.raiseEpochs(above + 5);
    await rows.raiseEpochs(0);
    expect((await given(rows, process("a"), "3")).epoch).toBe(above + 6);
  });
}
