/** Shows tag lists and referrers: what the upstream says, in the form that clients need, also when it says nothing. */
import { describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { type MirrorWorld, startWorld } from "../support/mirror-world.ts";

const SIGNATURE = "application/vnd.example.signature";
const SBOM = "application/vnd.example.sbom";

describe("tags (H59)", () => {
  it("pages come as the upstream gives them, with what asks for the next one", async () => {
    const world = await startWorld();
    for (const tag of ["a", "b", "c"]) world.fake.addImage("x/y", tag, { layers: [10] });
    const first = await world.tags("x/y", { n: "2" });
    expect(JSON.parse(first.body)).toEqual({ name: "x/y", tags: ["a", "b"] });
    expect(first.next).toEqual({ n: "2", last: "b" });
    const second = await world.tags("x/y", { n: "2", last: "b" });
    expect(JSON.parse(second.body)).toEqual({ name: "x/y", tags: ["c"] });
    expect(second.next).toBeUndefined();
    expect(JSON.parse((await world.tags("x/y", { n: "0" })).body)).toEqual({ name: "x/y", tags: [] });
  });

  it("are asked for each time, by many at once only once", async () => {
    const world = await startWorld();
    world.fake.addImage("x/y", "a", { layers: [10] });
    await Promise.all(Array.from({ length: 10 }, () => world.tags("x/y")));
    expect(world.fake.count({ kind: "tags" })).toBe(1);
    world.fake.addImage("x/y", "b", { layers: [10] });
    expect((await world.tags("x/y")).body).toContain('"b"');
  });

  it("the last list is served while the upstream is down, over a restart, page by page", async () => {
    const world = await startWorld();
    for (const tag of ["a", "b", "c"]) world.fake.addImage("x/y", tag, { layers: [10] });
    const first = await world.tags("x/y", { n: "2" });
    await world.restart(() => world.fake.pause());
    const stored = await world.tags("x/y", { n: "2" });
    expect(stored).toMatchObject({ body: first.body, next: first.next, outcome: "stale" });
    expect(stored.warning).toMatch(/^stale: fake\.test could not be asked/);
    await expect(world.tags("x/y", { n: "1" })).rejects.toMatchObject({ code: "upstream-unavailable" });
  });

  it.each([401, 403])("an upstream that answers %d does not take the last list away", async (status) => {
    const world = await startWorld();
    world.fake.addImage("x/y", "a", { layers: [10] });
    const { body } = await world.tags("x/y");
    world.fake.fail(/tags/, { kind: "status", status }, { times: 100 });
    for (let pass = 0; pass < 3; pass++) {
      expect(await world.tags("x/y")).toMatchObject({ body, outcome: "stale" });
      world.clock.aheadMs += 60_000;
    }
  });

  it("a list that is not there once is still served, with a warning; the second time, later, it is gone", async () => {
    const world = await startWorld();
    world.fake.addImage("x/y", "a", { layers: [10] });
    const { body } = await world.tags("x/y");
    world.fake.fail(/tags/, { kind: "status", status: 404 }, { times: 100 });
    for (let pass = 0; pass < 2; pass++) {
      const answer = await world.tags("x/y");
      expect(answer).toMatchObject({ body, outcome: "stale" });
      expect(answer.warning).toMatch(/says that there is no such list/);
    }
    world.clock.aheadMs += 60_000;
    await world.tags("x/y").catch(() => undefined);
    await expect(world.tags("x/y")).rejects.toMatchObject({ code: "not-found" });
  });

  it("without a list, the tags that we hold are what can be said", async () => {
    const world = await startWorld();
    for (const tag of ["b", "a"]) {
      world.fake.addImage("x/y", tag, { layers: [10] });
      await world.get("x/y", tag);
    }
    await world.fake.pause();
    const { body, outcome } = await world.tags("x/y");
    expect([JSON.parse(body), outcome]).toEqual([{ name: "x/y", tags: ["a", "b"] }, "stale"]);
    await expect(world.tags("x/other")).rejects.toMatchObject({ code: "upstream-unavailable" });
  });

  it("of a repository that is not there are not-found, and a web page is no list", async () => {
    const world = await startWorld();
    await expect(world.tags("x/none")).rejects.toMatchObject({ code: "not-found" });
    world.fake.addImage("x/y", "a", { layers: [10] });
    world.fake.fail(/tags/, { kind: "status", status: 200, body: "<html>Sign in</html>" });
    await expect(world.tags("x/y")).rejects.toMatchObject({ code: "upstream-protocol" });
  });
});

describe("referrers", () => {
  it("pass the upstream's, and are filtered here when asked for one type (H60, H61)", async () => {
    const { world, subject } = await worldWithSubject("native");
    const signature = attach(world, subject, SIGNATURE);
    attach(world, subject, SBOM);
    const all = await world.referrers("a/b", subject);
    expect(JSON.parse(all.body)).toMatchObject({ schemaVersion: 2, mediaType: OCI_INDEX });
    expect(typesIn(all.body)).toEqual([SIGNATURE, SBOM]);
    expect(all.filtered).toBe(false);
    const some = await world.referrers("a/b", subject, SIGNATURE);
    expect(typesIn(some.body)).toEqual([SIGNATURE]);
    expect(some.filtered).toBe(true);
    expect(world.fake.count({ kind: "referrers" })).toBe(1);
    expect((await world.get("a/b", signature)).manifest.mediaType).toBe(OCI_MANIFEST);
  });

  it.each(["404", "401", "html"] as const)(
    "where the API answers %s, come from the tag that carries them (H60)",
    async (referrers) => {
      const { world, subject } = await worldWithSubject(referrers);
      tagReferrers(world, subject, [SIGNATURE, SBOM]);
      expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([SIGNATURE, SBOM]);
      expect(typesIn((await world.referrers("a/b", subject, SBOM)).body)).toEqual([SBOM]);
    },
  );

  it.each(["404", "401", "html"] as const)(
    "where the API answers %s and there is no such tag, are an empty index (H60)",
    async (referrers) => {
      const { world, subject } = await worldWithSubject(referrers);
      const { body } = await world.referrers("a/b", subject);
      expect(JSON.parse(body)).toEqual({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
    },
  );

  it.each([403, 405, 500])(
    "an upstream that answers %d to everything: an empty index (H60)",
    async (status) => {
      const { world, subject } = await worldWithSubject("native");
      world.fake.fail(/./, { kind: "status", status }, { times: 100 });
      expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([]);
    },
  );

  it("of a sha512 digest are found under the tag as the specification cuts it", async () => {
    const { world } = await worldWithSubject("404");
    const subject = digestOf(Buffer.from("subject"), "sha512");
    tagReferrers(world, subject, [SIGNATURE], `sha512-${subject.slice(7, 7 + 64)}`);
    expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([SIGNATURE]);
  });

  it.each(["native", "404"] as const)(
    "a signature that comes is seen within the short lifetime, though none was remembered (%s, H62)",
    async (referrers) => {
      const { world, subject } = await worldWithSubject(referrers);
      expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([]);
      for (const types of [[SIGNATURE], [SIGNATURE, SBOM]]) {
        if (referrers === "native") attach(world, subject, types.at(-1) ?? "");
        else tagReferrers(world, subject, types);
        world.clock.aheadMs += 5_001;
        expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual(types);
      }
    },
  );

  it.each([401, 403, 404])(
    "stay what they were while the API answers %d, though it gave them before",
    async (status) => {
      const { world, subject } = await worldWithSubject("native");
      attach(world, subject, SIGNATURE);
      await world.referrers("a/b", subject);
      world.fake.fail(/referrers/, { kind: "status", status }, { times: 100 });
      world.clock.aheadMs += 60_000;
      const { body, outcome } = await world.referrers("a/b", subject);
      expect([typesIn(body), outcome]).toEqual([[SIGNATURE], "stale"]);
    },
  );

  it("stay what they were while the upstream is down", async () => {
    const { world, subject } = await worldWithSubject("native");
    attach(world, subject, SIGNATURE);
    await world.referrers("a/b", subject);
    await world.fake.pause();
    world.clock.aheadMs += 60_000;
    const { body, outcome } = await world.referrers("a/b", subject);
    expect([typesIn(body), outcome]).toEqual([[SIGNATURE], "stale"]);
  });
});

async function worldWithSubject(referrers: "native" | "404" | "401" | "html") {
  const world = await startWorld({ settings: { referrers } });
  const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [10] });
  return { world, subject: manifestDigest };
}

function attach(world: MirrorWorld, subject: Digest, artifactType: string): Digest {
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: subject, size: 2 };
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, config, layers: [] };
  const text = JSON.stringify({
    ...manifest,
    subject: { mediaType: OCI_MANIFEST, digest: subject, size: 9 },
  });
  return world.fake.addManifest("a/b", undefined, Buffer.from(text), OCI_MANIFEST);
}

function tagReferrers(
  world: MirrorWorld,
  subject: Digest,
  types: readonly string[],
  tag = subject.replace(":", "-"),
): void {
  const manifests = types.map((artifactType) => {
    return { mediaType: OCI_MANIFEST, digest: attach(world, subject, artifactType), size: 9, artifactType };
  });
  const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  world.fake.addManifest("a/b", tag, Buffer.from(text), OCI_INDEX);
}

function typesIn(body: string): string[] {
  const { manifests } = JSON.parse(body) as { manifests: { artifactType: string }[] };
  return manifests.map(({ artifactType }) => artifactType);
}
