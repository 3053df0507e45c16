/** Shows which manifest a client gets by what it says it takes (registry-clients.md A.5): a documented answer, never a refusal. */
import { describe, expect, it } from "vitest";
import {
  DOCKER_LIST,
  DOCKER_MANIFEST,
  MANIFEST_UNION,
  OCI_INDEX,
  OCI_MANIFEST,
} from "../../src/oci/media-types.ts";
import { startWorld } from "../support/mirror-world.ts";

const DOCKER_ONLY = [DOCKER_MANIFEST, DOCKER_LIST];
const OCI_ONLY = [OCI_INDEX, OCI_MANIFEST];

/** A registry with Docker Hub's Accept rules: an OCI image and a Docker one, and an index of each kind. */
async function hubWorld() {
  const world = await startWorld({ settings: { acceptRules: true } });
  const { fake } = world;
  const platform = "linux/amd64";
  const docker = fake.addImage("a/b", "docker", { layers: [10] }).manifestDigest;
  const oci = fake.addImage("a/b", "oci", { layers: [20], format: "oci" }).manifestDigest;
  const list = fake.addIndex("a/b", "list", [{ digest: docker, platform }], "docker");
  const index = fake.addIndex("a/b", "index", [{ digest: oci, platform }], "oci");
  return { world, digests: { docker, oci, list, index } };
}

type Tag = "docker" | "oci" | "list" | "index";

describe("what a client that takes this gets for that tag (H28)", () => {
  const table: readonly (readonly [string, readonly string[], Record<Tag, Tag | "not-found">])[] = [
    ["the union", MANIFEST_UNION, same()],
    ["the union in another order", [...MANIFEST_UNION].reverse(), same()],
    ["nothing said", [], same()],
    ["*/*", ["*/*"], same()],
    ["application/*", ["application/*"], same()],
    ["a strange type and */*", ["a/b", "*/*"], same()],
    ["Docker only", DOCKER_ONLY, { ...same(), oci: "not-found", index: "not-found" }],
    ["OCI only", OCI_ONLY, same()],
    [
      "one Docker manifest",
      [DOCKER_MANIFEST],
      { docker: "docker", list: "docker", oci: "not-found", index: "not-found" },
    ],
    ["one OCI index", [OCI_INDEX], { ...same(), oci: "not-found" }],
  ];

  it.each(table)("%s", async (_name, accept, wanted) => {
    const { world, digests } = await hubWorld();
    for (const tag of ["docker", "oci", "list", "index"] as const) {
      const wish = wanted[tag];
      for (const ask of ["head", "get"] as const) {
        const asked = world[ask]("a/b", tag, { accept });
        if (wish === "not-found") await expect(asked, tag).rejects.toMatchObject({ code: "not-found" });
        else {
          const answer = await asked;
          expect("manifest" in answer ? answer.manifest.digest : answer.digest, tag).toBe(digests[wish]);
        }
      }
    }
  });
});

it("upstreams are asked with the union whatever the client says, and share one answer (H28)", async () => {
  const { world } = await hubWorld();
  for (const accept of [OCI_ONLY, [], ["*/*"], MANIFEST_UNION]) await world.get("a/b", "index", { accept });
  const [only, ...more] = world.fake.matching({ kind: "manifest" });
  expect(more).toEqual([]);
  expect(only?.headers.accept).toBe(MANIFEST_UNION.join(", "));
});

it("what a client with few types got is kept for its like, in any order, and costs nobody else (H28)", async () => {
  const { world, digests } = await hubWorld();
  const { manifest } = await world.get("a/b", "list", { accept: [DOCKER_MANIFEST, "x/y"] });
  expect(manifest.digest).toBe(digests.docker);
  const asked = world.fake.count();
  expect((await world.get("a/b", "list", { accept: ["x/y", DOCKER_MANIFEST] })).outcome).toBe("hit");
  expect((await world.get("a/b", "list")).manifest.digest).toBe(digests.list);
  expect(world.fake.count()).toBe(asked);
});

it("by digest there is only one answer, whatever the client takes (H28)", async () => {
  const { world, digests } = await hubWorld();
  expect((await world.get("a/b", digests.index, { accept: DOCKER_ONLY })).manifest.digest).toBe(
    digests.index,
  );
});

function same(): Record<Tag, Tag> {
  return { docker: "docker", oci: "oci", list: "list", index: "index" };
}
