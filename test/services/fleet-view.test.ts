/** Shows that real nodes tell people of their fleet: who fills what while it comes, what each says of itself, the bucket, and a node that died. */
import { afterEach, expect, test } from "vitest";
import type { FleetAnswer } from "../../src/http/admin/routes/fleet-shapes.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { runMain } from "../support/run-main.ts";
import { FleetWorld, UPSTREAM } from "../support/services/fleet-world.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describeWithPrograms(["weed"], "a fleet of two processes", () => {
  let world: FleetWorld;
  afterEach(() => world?.end());

  test("is seen whole from each of its nodes", async () => {
    world = await FleetWorld.begin({ rate: 4 * MIB });
    const a = await world.node("a", { changes: { zone: "hall" } });
    const b = await world.node("b");
    const blob = world.blob(1, 24 * MIB);
    const seenAt = async (admin: string) =>
      (await (await fetch(`${admin}/api/v1/fleet`)).json()) as FleetAnswer;
    const pull = world.read(blob, [b]);
    const fills = async () => (await seenAt(a.admin)).leases.filter(({ kind }) => kind === "fill");
    await expect
      .poll(fills)
      .toMatchObject([{ node: "b", isMe: false, upstream: UPSTREAM, digest: blob.digest }]);
    expect((await seenAt(a.admin)).leases).toContainEqual(expect.objectContaining({ kind: "schedule" }));
    const of = async (name: string) => (await seenAt(a.admin)).nodes.find(({ node }) => node === name);
    await expect.poll(async () => (await of("b"))?.state.fills).toBe(1);
    const told = await of("b");
    expect(told).toMatchObject({ isLive: true, state: { budget: 50 * GIB } });
    expect(await of("a")).toMatchObject({ isMe: true, zone: "hall", version: told?.version });
    await pull;
    await expect.poll(async () => (await of("b"))?.state).toMatchObject({ fills: 0, stored: 24 * MIB });
    await expect
      .poll(async () => (await seenAt(b.admin)).bucket, { timeout: 60_000 })
      .toMatchObject({
        objects: 1,
        bytes: 24 * MIB,
      });

    await b.kill();
    await expect.poll(async () => (await of("b"))?.isLive).toBe(false);
    const { out } = await runMain(["status", "--server", a.admin]);
    expect(out).toMatch(/^Fleet +2 nodes, 1 live; this is a$/m);
    expect((await runMain(["fleet", "--server", a.admin])).out).toMatch(/^gone, silent for \S+ .* b$/m);
  });
});
