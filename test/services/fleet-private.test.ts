/**
 * Shows who gets private content from a fleet whose own login alone opens it at the registry: clients that log in to Granary get it from any node, and
 * nobody else gets it, by whatever way: another node, another repository, the bucket, or what nodes read from each other.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { pathOf } from "../../src/fleet/peers/peer-request.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import type { GranaryProcess } from "../e2e/support/granary-process.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { runCommand } from "../e2e/support/run-command.ts";
import { scratchDirectory } from "../e2e/support/scratch-directory.ts";
import type { FakeImage } from "../support/fake-registry.ts";
import { FleetWorld, UPSTREAM } from "../support/services/fleet-world.ts";

const MIB = 2 ** 20;
const PRIVATE = "team/secret";
const PUBLIC = "library/open";
/** Of the registry: Granary has it, and no client. */
const ROBOT = { username: "granary-robot", password: "of-the-registry-alone" };
/** Of Granary. */
const CLIENT = { username: "a-client", password: "of-granary-alone" };
const WITH_LOGIN = "with-login";

describeWithPrograms(["weed", "skopeo"], "private content of a fleet", () => {
  let cleanup: AsyncDisposableStack;
  let world: FleetWorld;
  let nodes: readonly GranaryProcess[];
  let secret: FakeImage;

  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    world = await FleetWorld.begin();
    cleanup.defer(() => world.end());
    const { settings } = world.fake;
    settings.auth = "bearer";
    settings.users = { [ROBOT.username]: ROBOT.password };
    settings.privateRepositories = new Set([PRIVATE]);
    secret = world.fake.addImage(PRIVATE, "1", { layers: [20 * MIB, MIB], seed: 40 });
    world.fake.addImage(PUBLIC, "1", { layers: [MIB], seed: 50 });
    nodes = await Promise.all(["a", "b", "c"].map(startNode));
  });
  afterEach(() => cleanup.disposeAsync());

  test("clients that log in get it at every node, also where the registry was never asked", async () => {
    const [first, ...others] = nodes;
    if (first !== undefined) await copy(first, CLIENT);
    await expect.poll(stored).toHaveLength(secret.layerDigests.length + 1);
    const asked = world.fake.requests.length;
    for (const node of others) await copy(node, CLIENT);
    expect(world.fake.requests.slice(asked).map(({ method, path }) => `${method} ${path}`)).toEqual([]);
  });

  test("G11: clients without a login get none of it, from any node, nor with its digest through another repository", async () => {
    const [first] = nodes;
    if (first !== undefined) await copy(first, CLIENT);
    await expect.poll(stored).toHaveLength(secret.layerDigests.length + 1);
    const { manifestDigest, configDigest, layerDigests } = secret;
    for (const node of nodes) {
      const base = `${node.url(UPSTREAM)}/v2`;
      expect(await statusOf(`${base}/${PUBLIC}/manifests/1`)).toBe(200);
      expect(await statusOf(`${base}/${PRIVATE}/manifests/1`)).toBe(404);
      for (const repository of [PRIVATE, PUBLIC]) {
        expect(await statusOf(`${base}/${repository}/manifests/${manifestDigest}`)).toBe(404);
        for (const digest of [configDigest, ...layerDigests])
          expect(await statusOf(`${base}/${repository}/blobs/${digest}`)).toBe(404);
      }
      // A wrong login is none.
      expect(await statusOf(`${node.url(WITH_LOGIN)}/v2/${PRIVATE}/manifests/1`)).toBe(401);
    }
  });

  test("G11: neither the bucket nor the listener of a node gives any of it to whoever knows an address", async () => {
    const [first] = nodes;
    if (first !== undefined) await copy(first, CLIENT);
    await expect.poll(stored).toHaveLength(secret.layerDigests.length + 1);
    const [{ address } = {}] = await world.sql("select address from nodes");
    for (const { digest, object_key: key } of await stored()) {
      const objects = ["granary/", ""].map((prefix) => `${world.store.endpoint}/bucket-1/${prefix}${key}`);
      for (const object of objects) expect(await statusOf(object)).toBe(403);
      for (const kind of ["kept", "map"] as const) {
        const path = pathOf({ kind, upstream: UPSTREAM, digest: parseDigest(String(digest)) });
        expect(await statusOf(`${address}${path}`)).toBe(401);
      }
    }
  });

  function startNode(name: string): Promise<GranaryProcess> {
    const login = { username: CLIENT.username, password: "$" + "{CLIENT_PASSWORD}" };
    return world.node(name, {
      granary: {
        upstreams: {
          [UPSTREAM]: {
            endpoints: [world.fake.url],
            internal: true,
            realms: ["127.0.0.2"],
            username: ROBOT.username,
            password: "$" + "{ROBOT_PASSWORD}",
          },
        },
        listeners: { [WITH_LOGIN]: { upstream: UPSTREAM, login } },
        env: { CLIENT_PASSWORD: CLIENT.password, ROBOT_PASSWORD: ROBOT.password },
      },
    });
  }

  /** By skopeo, which verifies each file that it gets. */
  async function copy(node: GranaryProcess, { username, password }: typeof CLIENT): Promise<void> {
    const source = `docker://127.0.0.1:${node.port(WITH_LOGIN)}/${PRIVATE}:1`;
    const place = await scratchDirectory(cleanup, "skopeo-private");
    const login = [`--src-creds=${username}:${password}`, "--src-tls-verify=false"];
    await runCommand("skopeo", ["--insecure-policy", "copy", "--quiet", ...login, source, `dir:${place}`]);
  }

  /** What the bucket has. */
  async function stored(): Promise<readonly Record<string, unknown>[]> {
    return await world.sql("select digest, object_key from blobs");
  }
});

async function statusOf(url: string): Promise<number> {
  const answer = await fetch(url);
  await answer.body?.cancel();
  return answer.status;
}
