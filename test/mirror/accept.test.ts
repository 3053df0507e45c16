/** Shows which manifest a client gets by what it says it takes (docs/protocol.md#manifest-accept): a documented answer, never a refusal. */
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

describe("what a client that takes this gets for that tag", () => {
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

it("upstreams are asked with the union whatever the client says, and share one answer", async () => {
  const { world } = await hubWorld();
  for (const accept of [OCI_ONLY, [], ["*/*"], MANIFEST_UNION]) await world.get("a/b", "index", { accept });
  const [only, ...more] = world.fake.matching({ kind: "manifest" });
  expect(more).toEqual([]);
  expect(only?.headers.accept).toBe(MANIFEST_UNION.join(", "));
});

it("what a client with few types got is kept for its like, in any order, and costs nobody else", async () => {
  const { world, digests } = await hubWorld();
  const { manifest } = await world.get("a/b", "list", { accept: [DOCKER_MANIFEST, "x/y"] });
  expect(manifest.digest).toBe(digests.docker);
  const asked = world.fake.count();
  expect((await world.get("a/b", "list", { accept: ["x/y", DOCKER_MANIFEST] })).outcome).toBe("hit");
  expect((await world.get("a/b", "list")).manifest.digest).toBe(digests.list);
  expect(world.fake.count()).toBe(asked);
});

it("by digest there is only one answer, whatever the client takes", async () => {
  const { world, digests } = await hubWorld();
  expect((await world.get("a/b", digests.index, { accept: DOCKER_ONLY })).manifest.digest).toBe(
    digests.index,
  );
});

describe.each([404, 406] as const)("a type that the union does not know, behind a %i", (untakenStatus) => {
  const TYPE = "application/vnd.acme.thing.v1+json";

  async function acmeWorld() {
    const world = await startWorld({ settings: { acceptRules: true, untakenStatus } });
    const bytes = Buffer.from(JSON.stringify({ mediaType: TYPE, stuff: "x" }));
    return { world, digest: world.fake.addManifest("a/b", "acme", bytes, TYPE) };
  }

  it("is served to who takes it, by tag and digest, and costs one question from then on, and none with the upstream off", async () => {
    const { world, digest } = await acmeWorld();
    const asking = { accept: [...MANIFEST_UNION, TYPE] };
    for (const reference of ["acme", digest]) {
      expect(await world.head("a/b", reference, asking)).toMatchObject({ digest, mediaType: TYPE });
      expect((await world.get("a/b", reference, asking)).manifest).toMatchObject({ digest, mediaType: TYPE });
    }
    const { fake, clock } = world;
    fake.forgetRequests();
    clock.aheadMs += 700_000;
    expect((await world.get("a/b", "acme", { accept: [TYPE, ...MANIFEST_UNION] })).outcome).toBe(
      "revalidated",
    );
    expect(fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
    await world.restart();
    await fake.pause();
    clock.aheadMs += 700_000;
    expect(await world.get("a/b", "acme", asking)).toMatchObject({ outcome: "stale", manifest: { digest } });
    expect((await world.get("a/b", digest, asking)).manifest.digest).toBe(digest);
    await fake.resume();
  });

  it("is served to who takes anything, and to nobody who takes only what the union has", async () => {
    const { world, digest } = await acmeWorld();
    await expect(world.get("a/b", "acme", { accept: MANIFEST_UNION })).rejects.toMatchObject({
      facts: untakenStatus === 406 ? { upstreamStatus: 406 } : {},
    });
    expect((await world.get("a/b", "acme", { accept: [DOCKER_MANIFEST, "*/*"] })).manifest.digest).toBe(
      digest,
    );
  });

  it("that is not there costs each kind of client one question more, and what it invents is not sent on", async () => {
    const { world } = await acmeWorld();
    const accept = [TYPE, "bad type", "x/y\u00e9", ...Array.from({ length: 500 }, (_, n) => `x/y${n}`)];
    for (let time = 0; time < 3; time++)
      await expect(world.get("a/b", "none", { accept })).rejects.toMatchObject({ code: "not-found" });
    const [, second, ...more] = world.fake.requests;
    expect(more).toEqual([]);
    expect(second?.headers.accept?.split(", ")).toHaveLength(32);
    expect(second?.headers.accept).not.toContain("bad");
  });
});

function same(): Record<Tag, Tag> {
  return { docker: "docker", oci: "oci", list: "list", index: "index" };
}
