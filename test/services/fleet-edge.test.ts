/**
 * Shows an edge: an ordinary Granary over a slow line, whose upstream is the load balancer of a fleet. Each byte goes over that line once, what is private
 * stays so, and that a node of the fleet dies is nothing that its clients see.
 */
import { createHash } from "node:crypto";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type GranaryProcess, startGranary } from "../e2e/support/granary-process.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import type { FakeImage } from "../support/fake-registry.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";
import { BALANCER, LoadBalancer } from "../support/services/load-balancer.ts";
import { readCrowd } from "../support/services/read-crowd.ts";
import { SlowLine } from "../support/slow-line.ts";

const MIB = 2 ** 20;
const HUB = "docker.io";
const OLLAMA = "registry.ollama.ai";
const REPOSITORY = "library/app";
const SIZE = 96 * MIB;
const PRIVATE = "team/secret";
const ROBOT = { username: "granary-robot", password: "of-the-registry-alone" };
const EDGE = { username: "an-edge", password: "of-the-core-alone" };
/** What connections that end in the middle may have put on the line that nobody has read. */
const ENDED_EARLY = 6 * 512 * 1024;

describeWithPrograms(["weed", BALANCER.program], "an edge of a fleet", () => {
  let cleanup: AsyncDisposableStack;
  let world: FleetWorld;
  /** Between the edge and the core. */
  let line: SlowLine;
  let image: FakeImage;

  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    world = await FleetWorld.begin();
    cleanup.defer(() => world.end());
    line = new SlowLine({ rate: 16 * MIB, delayMs: 20 });
    cleanup.defer(() => line.close());
    image = world.fake.addImage(REPOSITORY, "1", { layers: [SIZE] });
  });
  afterEach(() => cleanup.disposeAsync());

  test("G3: whole blobs and ranges, asked for with `ns`, cross the line once, and the registry's once", async () => {
    const edge = await startEdge(await startCore());
    const digest = image.layerDigests[0] ?? "";
    const url = `${edge.url(HUB)}/v2/${REPOSITORY}/blobs/${digest}?ns=${HUB}`;
    const manifest = await fetch(`${edge.url(HUB)}/v2/${REPOSITORY}/manifests/1?ns=${HUB}`);
    expect(digestOf(await manifest.arrayBuffer())).toBe(image.manifestDigest);
    const ask = { urls: [url], digest, size: SIZE, readers: 10, isChecked: true, mostMs: 60_000 };
    const [parts, reports] = await Promise.all([
      Promise.all([0, 70, 40].map((mib) => readPart(url, mib * MIB, MIB))),
      readCrowd(ask),
    ]);
    expect(new Set(reports.map(({ returns }) => returns))).toEqual(new Set([0]));
    expect(parts).toEqual(await Promise.all([0, 70, 40].map((mib) => readPart(url, mib * MIB, MIB))));
    expect(line.account.carried).toBeLessThanOrEqual(1.02 * SIZE + ENDED_EARLY);
    expect(world.fake.bytesSentFor(digest)).toBeLessThanOrEqual(1.02 * SIZE);
  });

  test("G4: nodes of the core that are killed in the middle cost the edge's clients nothing, and its line next to nothing", async () => {
    const nodes = await startCore();
    const edge = await startEdge(nodes);
    const digest = image.layerDigests[0] ?? "";
    const urls = [`${edge.url(HUB)}/v2/${REPOSITORY}/blobs/${digest}`];
    const kill = async () => {
      for (const [index, node] of nodes.slice(0, 2).entries()) {
        await expect
          .poll(() => line.account.carried, { interval: 20 })
          .toBeGreaterThan((20 + 30 * index) * MIB);
        await node.kill();
        await node.start();
      }
    };
    const ask = { urls, digest, size: SIZE, readers: 3, isChecked: true, mostMs: 90_000 };
    const [reports] = await Promise.all([readCrowd(ask), kill()]);
    expect(reports.map(({ returns }) => returns)).toEqual([0, 0, 0]);
    expect(line.account.carried).toBeLessThanOrEqual(1.02 * SIZE + 3 * ENDED_EARLY);
  });

  test("G11: what the core's login opens is for edges that log in to the core", async () => {
    const { settings } = world.fake;
    settings.auth = "bearer";
    settings.users = { [ROBOT.username]: ROBOT.password };
    settings.privateRepositories = new Set([PRIVATE]);
    const secret = world.fake.addImage(PRIVATE, "1", { layers: [MIB], seed: 40 });
    const nodes = await startCore(
      { realms: ["127.0.0.2"], username: ROBOT.username, password: "$" + "{ROBOT}" },
      EDGE,
    );
    const login = { username: EDGE.username, password: "$" + "{EDGE}" };
    const known = await startEdge(nodes, login);
    const sharing = await startEdge(nodes, { ...login, privateContent: "share" });
    const stranger = await startEdge(nodes);
    const status = async (edge: GranaryProcess, path: string) => {
      const answer = await fetch(`${edge.url(HUB)}/v2/${PRIVATE}/${path}`);
      await answer.body?.cancel();
      return answer.status;
    };
    for (const path of ["manifests/1", `blobs/${secret.layerDigests[0]}`]) {
      expect(await status(sharing, path)).toBe(200);
      expect(await status(known, path)).toBe(404);
      expect([401, 403, 404, 502]).toContain(await status(stranger, path));
    }
  });

  /** Three nodes, whose clients need `login`, if that is there. */
  async function startCore(
    more: Readonly<Record<string, unknown>> = {},
    login?: typeof EDGE,
  ): Promise<readonly GranaryProcess[]> {
    const own = { endpoints: [world.fake.url], internal: true };
    const needs = login && { username: login.username, password: "$" + "{EDGE}" };
    return await Promise.all(
      ["a", "b", "c"].map((name) =>
        world.node(name, {
          granary: {
            upstreams: { [HUB]: { ...own, ...more }, [OLLAMA]: own },
            ...(needs && { listeners: { [HUB]: { login: needs } } }),
            env: { ROBOT: ROBOT.password, EDGE: EDGE.password },
          },
        }),
      ),
    );
  }

  /** Behind the line, with a load balancer of its own before the nodes. */
  async function startEdge(
    nodes: readonly GranaryProcess[],
    more: Readonly<Record<string, unknown>> = {},
  ): Promise<GranaryProcess> {
    const balancer = await LoadBalancer.begin(cleanup, nodes);
    const { host, port } = await line.front({ host: "127.0.0.1", port: balancer.port(HUB) });
    const upstream = { endpoints: [`http://${host}:${port}/v2/${HUB}`], internal: true, ...more };
    return await startGranary(cleanup, { upstreams: { [HUB]: upstream }, env: { EDGE: EDGE.password } });
  }
});

/** The digest of `length` bytes from `start` on. */
async function readPart(url: string, start: number, length: number): Promise<string> {
  const answer = await fetch(url, { headers: { range: `bytes=${start}-${start + length - 1}` } });
  expect(answer.status).toBe(206);
  return digestOf(await answer.arrayBuffer());
}

function digestOf(bytes: ArrayBuffer): string {
  return `sha256:${createHash("sha256").update(Buffer.from(bytes)).digest("hex")}`;
}
