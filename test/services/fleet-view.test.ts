/**
 * Shows that real nodes tell people of their fleet: who fills what while it comes, what each says of itself, the bucket, what happened and what was
 * served at any of them, and a node that died.
 */
import { afterEach, expect, test } from "vitest";
import type { FleetAnswer } from "../../src/http/admin/routes/fleet-shapes.ts";
import { eventsSchema } from "../../src/http/admin/routes/past-event-routes.ts";
import { trafficSchema } from "../../src/http/admin/routes/traffic-routes.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { runMain } from "../support/run-main.ts";
import { FleetWorld, UPSTREAM } from "../support/services/fleet-world.ts";

const MIB = 2 ** 20;
const GIB = 2 ** 30;

describeWithPrograms(["weed"], "a fleet of three processes", () => {
  let world: FleetWorld;
  afterEach(() => world?.end());

  test("is seen whole from each of its nodes", async () => {
    world = await FleetWorld.begin({ rate: 4 * MIB });
    const a = await world.node("a", { changes: { zone: "hall" } });
    const [b, c] = await Promise.all([world.node("b"), world.node("c")]);
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

    // What happened and what was served at each of them is told by all of them.
    await Promise.all([world.read(blob, [a]), world.read(blob, [c])]);
    for (const asked of [a, b, c]) {
      await expect.poll(() => placesIn(asked.admin)).toEqual(["a", "b", "c"]);
      await expect.poll(() => servedBy(asked.admin)).toEqual({ a: blob.size, b: blob.size, c: blob.size });
    }

    // What a person wants asked anew at one node is asked anew at all of them.
    const nodes = [a, b, c];
    const tagged = (seed: number) => world.fake.addImage("library/tagged", "1", { seed, layers: [100] });
    const meaningAt = async (node: (typeof nodes)[number]) => {
      const url = `${node.url(UPSTREAM)}/v2/library/tagged/manifests/1`;
      const answer = await fetch(url, { method: "HEAD" });
      return answer.headers.get("docker-content-digest");
    };
    const before = tagged(1).manifestDigest;
    expect(await Promise.all(nodes.map(meaningAt))).toEqual([before, before, before]);
    const moved = tagged(2).manifestDigest;
    expect(await Promise.all(nodes.map(meaningAt))).toEqual([before, before, before]);
    await runMain(["refresh", `${UPSTREAM}/library/tagged`, "--server", a.admin]);
    await expect
      .poll(() => Promise.all(nodes.map(meaningAt)), { timeout: 60_000 })
      .toEqual([moved, moved, moved]);

    await b.kill();
    // At once: its heartbeat still counts.
    const { fleet } = eventsSchema.parse(await answerOf(a.admin, "events/past?fleet=true"));
    expect(fleet).toMatchObject({ nodes: ["a", "b", "c"], missing: [{ node: "b" }] });
    await expect.poll(async () => (await of("b"))?.isLive).toBe(false);
    const { out } = await runMain(["status", "--server", a.admin]);
    expect(out).toMatch(/^Fleet +3 nodes, 2 live; this is a$/m);
    expect((await runMain(["fleet", "--server", a.admin])).out).toMatch(/^gone, silent for \S+ .* b$/m);
    const events = await runMain(["events", "--fleet", "--server", c.admin]);
    expect(events.err).toBe("granary: missing: Node b is gone: its heartbeat has ended.\n");
    expect(events.out).toMatch(/^[\d:]+ {2}a {2}/m);
    expect(events.out).not.toMatch(/^[\d:]+ {2}b {2}/m);
    expect(await servedBy(c.admin)).toEqual({ a: blob.size, c: blob.size });
  });
});

async function answerOf(admin: string, query: string): Promise<unknown> {
  return await (await fetch(`${admin}/api/v1/${query}`)).json();
}

/** The nodes at which something happened. */
async function placesIn(admin: string): Promise<readonly (string | undefined)[]> {
  const { items } = eventsSchema.parse(await answerOf(admin, "events/past?fleet=true"));
  return [...new Set(items.map(({ node }) => node))].sort();
}

/** Bytes to clients, by node. */
async function servedBy(admin: string): Promise<Readonly<Record<string, number>>> {
  const { items } = trafficSchema.parse(await answerOf(admin, "traffic?by=node"));
  return Object.fromEntries(items.map(({ name, served }) => [name, served]));
}
