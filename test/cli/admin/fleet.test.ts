/** Shows `granary fleet`: what it says of the nodes, of who brings what, and where there is no fleet; and the line of it in `granary status`. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { blobLease } from "../../../src/fleet/fleet.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { fleetFace } from "../../support/fleet-face.ts";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const GIB = 2 ** 30;
const LAYER = digestOf(Buffer.from("a layer"));
const names = new Map([[LAYER, { upstream: "docker.io", repository: "library/node" }]]);

async function world() {
  const face = await fleetFace({
    told: { b: { fills: 3, stored: 5 * GIB, budget: 9 * GIB, served: 2 ** 20 } },
    ...{ zones: { b: "hall" }, versions: { c: "1.3.0" }, names, bucketLimit: 10 * GIB },
  });
  const granary = (...args: readonly string[]) => runMain([...args, "--server", face.url]);
  return { ...face, granary };
}

test("it lists the nodes with what each does, and says how bucket and database are", async () => {
  const { granary } = await world();
  const { code, out, err } = await granary("fleet");
  expect([code, err]).toEqual([0, ""]);
  const [head, a, b, c] = out.split("\n");
  expect(head).toMatch(/^STATE +ZONE +VERSION +FILLS +DISK +TO CLIENTS +NODE$/);
  expect(a).toMatch(/^live +1\.2\.3 +a \(this one\)$/);
  expect(b).toMatch(/^live +hall +1\.2\.3 +3 +5 GiB of 9 GiB +1 MiB\/s +b$/);
  expect(c).toMatch(/^live +1\.3\.0 \(another\) +c$/);
  expect(out).toMatch(/^Database +answers$/m);
  expect(out).toMatch(/^Bucket +0 B in 0 objects, of 10 GiB$/m);
  expect(out).toMatch(/^Not shared yet +2 blobs of this node$/m);
  expect(out).toMatch(/^Leases +none$/m);
});

test("it lists who brings what for all, whole digests with it", async () => {
  const { granary, nodes } = await world();
  expect((await granary("fleet", "leases")).out).toBe("No node does anything for the others right now.\n");
  await nodes.b.acquire(blobLease("docker.io", LAYER));
  await nodes.c.acquire("tag\ndocker.io\nlibrary/node\n24\nimage");
  await nodes.c.acquire("janitor");
  const listed = () => granary("fleet", "leases").then(({ out }) => out);
  await expect.poll(listed).toMatch(/^c +tidies +\S+ +the bucket$/m);
  expect(await listed()).toMatch(new RegExp(`^b +fills +\\S+ +docker\\.io/library/node ${LAYER}$`, "m"));
  expect(await listed()).toMatch(/^c +asks +\S+ +docker\.io\/library\/node:24$/m);
  const { out } = await granary("fleet", "leases", "--json");
  expect(JSON.parse(out)).toMatchObject([{ kind: "fill", node: "b" }, { kind: "tag" }, { kind: "janitor" }]);
});

test("a node that is gone and a database that is away are said so, by status too", async () => {
  const { granary, shared } = await world();
  expect((await granary("status")).out).toMatch(/^Fleet +3 nodes, 3 live; this is a$/m);
  shared.cuts.add("b");
  const nodes = () => granary("fleet").then(({ out }) => out);
  await expect.poll(nodes).toMatch(/^gone, silent for \S+ .* b$/m);
  expect((await granary("status")).out).toMatch(/^Fleet +3 nodes, 2 live; this is a$/m);
  shared.database.away = true;
  await expect.poll(nodes).toMatch(/^Database +the database has not answered this node for \S+:/m);
  expect(await nodes()).toContain("what it told of nodes is from");
  expect((await granary("status")).out).toMatch(/this is a; the database has not answered this node/);
});

test("--json prints what the API tells", async () => {
  const { granary } = await world();
  const { out } = await granary("fleet", "--json");
  expect(JSON.parse(out)).toMatchObject({
    node: "a",
    nodes: [{ node: "a", isMe: true }, {}, {}],
    leases: [],
  });
});

test("a Granary that is alone says that, and status says nothing of a fleet", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  await startServing({ fake, directory });
  for (const args of [["fleet"], ["fleet", "leases", "--json"]]) {
    const { code, out, err } = await runMain([...args, "--directory", directory]);
    expect([code, out]).toEqual([3, ""]);
    expect(err).toContain("This Granary is no node of a fleet");
  }
  expect((await runMain(["status", "--directory", directory])).out).not.toContain("Fleet");
});

test("its help says what states and leases mean", async () => {
  const { out } = await runMain(["fleet", "nodes", "--help"]);
  expect(out).toContain("others have taken over");
  expect((await runMain(["fleet", "leases", "--help"])).out).toContain("fills brings a blob");
});
