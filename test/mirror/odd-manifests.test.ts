/** Shows that a manifest is its bytes: odd ones are handed on as they are under their digest, and a dangerous one is refused by its name. */
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { type MirrorWorld, startWorld } from "../support/mirror-world.ts";

const MiB = 2 ** 20;
const SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws";
const FOR_EVER = { times: Number.POSITIVE_INFINITY };
const layer = { mediaType: "a/layer", digest: digestOf(Buffer.from("layer")), size: 5 };
const config = { mediaType: "a/config", digest: digestOf(Buffer.from("{}")), size: 2 };

/** By tag and by digest, by HEAD and GET: all the same, and again with the upstream off. */
async function expectHandedOn(world: MirrorWorld, tag: string, bytes: Buffer, mediaType: string) {
  const digest = digestOf(bytes);
  const told = { digest, mediaType, size: bytes.length };
  for (const reference of [tag, digest]) {
    expect(await world.head("a/b", reference), tag).toMatchObject(told);
    const { manifest } = await world.get("a/b", reference);
    expect(manifest.digest, tag).toBe(digest);
    expect(manifest.mediaType, tag).toBe(mediaType);
    expect(Buffer.from(manifest.bytes).equals(bytes), tag).toBe(true);
  }
}

describe("a signed manifest of schema 1", () => {
  /** As registries make them: the digest that they name is of the payload, and each answer may be signed anew. */
  function signed(salt: string) {
    const payload = Buffer.from(
      JSON.stringify(
        { schemaVersion: 1, name: "a/b", tag: "t", fsLayers: [{ blobSum: layer.digest }] },
        null,
        3,
      ),
    );
    const [formatLength, formatTail] = [payload.length - 2, Buffer.from("\n}").toString("base64url")];
    const head = Buffer.from(JSON.stringify({ formatLength, formatTail })).toString("base64url");
    const signatures = `,\n   "signatures": [{"protected": "${head}", "signature": "${salt}"}]\n}`;
    const bytes = Buffer.concat([payload.subarray(0, formatLength), Buffer.from(signatures)]);
    return { payload: digestOf(payload), bytes };
  }

  async function schema1World() {
    const world = await startWorld();
    const one = signed("one");
    world.fake.contents.addManifest("a/b", "t", { digest: one.payload, mediaType: SIGNED, bytes: one.bytes });
    return { world, ...one };
  }

  it("is served by its tag under the digest of its bytes, and by that digest, also with the upstream off", async () => {
    const { world, bytes } = await schema1World();
    await expectHandedOn(world, "t", bytes, SIGNED);
    await world.restart();
    await world.fake.pause();
    world.clock.aheadMs += 700_000;
    await expectHandedOn(world, "t", bytes, SIGNED);
    await world.fake.resume();
  });

  it("is asked for by one HEAD after its lifetime, however its registry calls it", async () => {
    const { world, bytes } = await schema1World();
    await world.get("a/b", "t");
    world.fake.forgetRequests();
    world.clock.aheadMs += 700_000;
    expect(await world.get("a/b", "t")).toMatchObject({
      outcome: "revalidated",
      manifest: { digest: digestOf(bytes) },
    });
    expect(world.fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  it("is never served under the digest of what it was before it was signed: one sentence says why", async () => {
    const { world, payload } = await schema1World();
    const refusal = {
      code: "digest-mismatch",
      message: `fake.test/a/b@${payload} is a signed manifest of schema 1, whose digest does not cover its signatures: pull it by tag, or push it again with a newer tool.`,
    };
    await expect(world.get("a/b", payload)).rejects.toMatchObject(refusal);
    await expect(world.head("a/b", payload)).rejects.toMatchObject(refusal);
    // The bytes are known from the tag now, and are no more right than before.
    await world.get("a/b", "t");
    await expect(world.get("a/b", payload)).rejects.toMatchObject(refusal);
    await expect(world.head("a/b", payload)).rejects.toMatchObject(refusal);
  });

  it("with another payload than its registry names is refused by its tag as well", async () => {
    const { world, bytes } = await schema1World();
    const digest = digestOf(Buffer.from("another"));
    world.fake.contents.addManifest("a/b", "bad", { digest, mediaType: SIGNED, bytes });
    await expect(world.get("a/b", "bad")).rejects.toMatchObject({ code: "digest-mismatch" });
    await expect(world.head("a/b", "bad")).rejects.toMatchObject({ code: "digest-mismatch" });
  });
});

describe("an odd manifest is handed on as it is", () => {
  const json = (document: object) => JSON.stringify({ schemaVersion: 2, ...document });
  const image = { mediaType: OCI_MANIFEST, config, layers: [layer] };
  const odd: readonly (readonly [string, Buffer, string])[] = [
    [
      "more than 4 MiB",
      Buffer.from(json({ ...image, annotations: { a: "x".repeat(5 * MiB) } })),
      OCI_MANIFEST,
    ],
    [
      "a byte that is not UTF-8",
      Buffer.from(json({ ...image, annotations: { a: "caf\u00e9" } }), "latin1"),
      OCI_MANIFEST,
    ],
    ["a byte order mark", Buffer.from(`\ufeff${json(image)}`), OCI_MANIFEST],
    [
      "keys twice",
      Buffer.from(`{"a":1,"a":2,"mediaType":"${OCI_MANIFEST}","config":{},"config":null}`),
      OCI_MANIFEST,
    ],
    [
      "a type of its own",
      Buffer.from(json({ mediaType: "application/vnd.acme.thing+json", stuff: 1 })),
      "application/vnd.acme.thing+json",
    ],
    [
      "no types, and children without platform",
      Buffer.from(json({ manifests: [{ digest: layer.digest }, 7] })),
      OCI_INDEX,
    ],
    [
      "odd sizes",
      Buffer.from(
        json({
          ...image,
          layers: [
            { ...layer, size: -1 },
            { ...layer, size: 1e300 },
            { ...layer, size: "5" },
          ],
        }),
      ),
      OCI_MANIFEST,
    ],
    ["no JSON at all", Buffer.from("a: yaml\n"), "application/vnd.acme.yaml"],
    ["bytes", Buffer.from([0, 1, 2, 0xff]), "application/octet-stream"],
    ["JSON of a shape of its own", Buffer.from('{"hello":"world"}'), "application/octet-stream"],
  ];

  it("and stays so with the upstream off", async () => {
    const world = await startWorld();
    for (const [name, bytes, mediaType] of odd)
      world.fake.addManifest("a/b", name.replaceAll(/\W/g, "-"), bytes, mediaType);
    const all = async () => {
      for (const [name, bytes, mediaType] of odd)
        await expectHandedOn(world, name.replaceAll(/\W/g, "-"), bytes, mediaType);
    };
    await all();
    await world.restart();
    await world.fake.pause();
    await all();
    await world.fake.resume();
  });

  it("but nothing that no digest vouches for: it may be a page to sign in", async () => {
    const world = await startWorld();
    const pages: readonly (readonly [string, string])[] = [
      ["text/html", "<html>Sign in</html>"],
      ["application/json", '{"errors":[{"code":"DENIED"}]}'],
      ["text/plain", "hello"],
    ];
    for (const [type, body] of pages) {
      world.fake.faults.splice(0);
      const headers = { "content-type": type };
      world.fake.fail(/./, { kind: "status", status: 200, body, headers }, FOR_EVER);
      await expect(world.get("a/b", "t")).rejects.toMatchObject({ code: "upstream-protocol" });
      await expect(world.head("a/b", "t")).rejects.toMatchObject({ code: "upstream-protocol" });
      const digest = digestOf(Buffer.from("what was asked for"));
      await expect(world.get("a/b", digest)).rejects.toMatchObject({ code: "digest-mismatch" });
    }
  });

  it.each([
    [
      "an index and an image at once",
      json({ manifests: [], layers: [] }),
      "is an index and an image at once",
    ],
    [
      "one that nests",
      json({ annotations: "[", deep: 1 }).replace('"["', `${"[".repeat(500)}${"]".repeat(500)}`),
      "nests deeper than 64 levels",
    ],
    ["one of too many values", `{"a":[${"1,".repeat(500_000)}1]}`, "has more than 400000 values"],
    ["one of more than 16 MiB", " ".repeat(16 * MiB + 1), "answered with more than 16777216 bytes"],
  ])("and what is dangerous is refused by its name: %s", async (_name, text, why) => {
    const world = await startWorld();
    const digest = world.fake.addManifest("a/b", "t", Buffer.from(text), DOCKER_MANIFEST);
    for (const reference of ["t", digest]) {
      const refused = { code: "upstream-protocol", message: expect.stringContaining(why) };
      await expect(world.get("a/b", reference)).rejects.toMatchObject(refused);
    }
  });
});
