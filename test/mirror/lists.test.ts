/** Shows tag lists and referrers: what the upstream says, in the form that clients need, also when it says nothing. */
import { describe, expect, it } from "vitest";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import type { RequestRecord } from "../support/fake-registry.ts";
import { type MirrorWorld, startWorld } from "../support/mirror-world.ts";

const SIGNATURE = "application/vnd.example.signature";
const SBOM = "application/vnd.example.sbom";

describe("tags", () => {
  it("pages come as the upstream gives them, with what asks for the next one", async () => {
    const world = await startWorld();
    for (const tag of ["a", "b", "c"]) world.fake.addImage("x/y", tag, { layers: [10] });
    const first = await world.tags("x/y", "n=2");
    expect(JSON.parse(first.body)).toEqual({ name: "x/y", tags: ["a", "b"] });
    expect(first.next).toBe("last=b&n=2");
    const second = await world.tags("x/y", "n=2&last=b");
    expect(JSON.parse(second.body)).toEqual({ name: "x/y", tags: ["c"] });
    expect(second.next).toBeUndefined();
    expect(JSON.parse((await world.tags("x/y", "n=0")).body)).toEqual({ name: "x/y", tags: [] });
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
    const first = await world.tags("x/y", "n=2");
    await world.restart(() => world.fake.pause());
    const stored = await world.tags("x/y", "n=2");
    expect(stored).toMatchObject({ body: first.body, next: first.next, outcome: "stale" });
    expect(stored.warning).toMatch(/^stale: fake\.test could not be asked/);
    await expect(world.tags("x/y", "n=1")).rejects.toMatchObject({ code: "upstream-unavailable" });
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

describe("tags in pages of the registry's own", () => {
  it.each(["relative", "absolute"] as const)(
    "come to their end (%s links): its token is handed on and sent back",
    async (link) => {
      const world = await startWorld({ settings: { paging: "token", tagsPerPage: 2, link } });
      for (const tag of ["a", "b", "c", "d", "e"]) world.fake.addImage("x/y", tag, { layers: [10] });
      const tags: string[] = [];
      let query: string | undefined = "n=100";
      for (let page = 0; query !== undefined && page < 9; page++) {
        const answer = await world.tags("x/y", query);
        tags.push(...(JSON.parse(answer.body) as { tags: string[] }).tags);
        query = answer.next;
        if (query !== undefined) expect(query).toMatch(/^next_page=[\w%]+$/);
      }
      expect(tags).toEqual(["a", "b", "c", "d", "e"]);
      expect(world.fake.count({ kind: "tags" })).toBe(3);
    },
  );

  it("that lead elsewhere are an error, and nothing else is asked", async () => {
    const world = await startWorld();
    world.fake.addImage("x/y", "a", { layers: [10] });
    for (const link of ['</v2/z/tags/list?n=1>; rel="next"', '<http://10.0.0.1/admin?x>; rel="next"']) {
      world.fake.fail(/tags/, { kind: "headers", headers: { link } }, { times: 9 });
      await expect(world.tags("x/y")).rejects.toMatchObject({ code: "upstream-protocol" });
    }
    expect(world.fake.requests.every(({ path }) => path === "/v2/x/y/tags/list")).toBe(true);
  });

  it("are cut from the whole list while the upstream is down, whichever page is asked for", async () => {
    const world = await startWorld();
    for (const tag of ["a", "b", "c", "d", "e"]) world.fake.addImage("x/y", tag, { layers: [10] });
    await world.tags("x/y", "n=1000");
    await world.restart(() => world.fake.pause());
    const first = await world.tags("x/y", "n=2");
    expect([JSON.parse(first.body).tags, first.next, first.outcome]).toEqual([
      ["a", "b"],
      "n=2&last=b",
      "stale",
    ]);
    const rest = await world.tags("x/y", "n=9&last=b");
    expect([JSON.parse(rest.body).tags, rest.next]).toEqual([["c", "d", "e"], undefined]);
    expect(JSON.parse((await world.tags("x/y", "last=bb")).body).tags).toEqual(["c", "d", "e"]);
    expect(JSON.parse((await world.tags("x/y")).body).tags).toHaveLength(5);
  });

  it("are kept a few times however many queries clients invent", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("x/y", "a", { layers: [10] });
    for (let n = 0; n < 2_000; n++)
      world.fake.moveTag("x/y", `${digestOf(Buffer.from(`${n}`)).slice(7)}`, manifestDigest);
    await world.tags("x/y");
    const before = await world.metadata.size();
    const list = JSON.parse((await world.tags("x/y")).body) as { tags: string[] };
    const queries = Array.from({ length: 150 }, (_, n) => [
      `n=${3_000 + n}`,
      `last=${list.tags[n]}`,
      `x=${n}`,
    ]).flat();
    for (const query of queries) await world.tags("x/y", query);
    // Tags like these hardly shrink: 450 lists of their own would be 40 MB, 32 are three.
    expect((await world.metadata.size()) - before).toBeLessThan(5 * 2 ** 20);
    await world.fake.pause();
    expect(JSON.parse((await world.tags("x/y")).body)).toEqual(list);
  });

  it("of a list of 300,000 come whole, and keep nobody else waiting", async () => {
    const world = await startWorld({ settings: { tagsPerPage: "all" } });
    world.fake.addImage("x/y", "small", { layers: [10] });
    const body = JSON.stringify({
      name: "x/y",
      tags: Array.from({ length: 300_000 }, (_, i) => `${"t".repeat(40)}${i}`),
    });
    world.fake.fail(/x\/y\/tags/, { kind: "status", status: 200, body }, { times: 3 });
    await world.get("x/y", "small");
    let others = 0;
    let isDone = false;
    const readers = Promise.all(["n=5", "", "n=7"].map((query) => world.tags("x/y", query)));
    void readers.finally(() => {
      isDone = true;
    });
    while (!isDone) {
      await world.get("x/y", "small");
      others += 1;
      await new Promise(setImmediate);
    }
    for (const { body: told } of await readers) expect(told === body).toBe(true);
    // 45 MB in pieces of 64 KiB at most: somebody else gets an answer between most of them.
    expect(others).toBeGreaterThan(50);
    await world.fake.pause();
    expect((await world.tags("x/y", "n=5")).body === body).toBe(false);
    expect(JSON.parse((await world.tags("x/y", "n=5")).body).tags).toHaveLength(5);
    expect((await world.tags("x/y")).body === body).toBe(true);
  });

  it.each(["[", '{"tags":['])("that nest as deep as they are long (%s) are refused at once", async (text) => {
    const world = await startWorld();
    world.fake.addImage("x/y", "a", { layers: [10] });
    await world.tags("x/y");
    world.fake.fail(/tags/, { kind: "status", status: 200, body: text.repeat(2_000_000) }, { times: 9 });
    expect(await world.tags("x/y")).toMatchObject({ outcome: "stale", body: '{"name":"x/y","tags":["a"]}' });
  });
});

describe("referrers", () => {
  it("pass the upstream's, and are filtered here when asked for one type", async () => {
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
    "where the API answers %s, come from the tag that carries them",
    async (referrers) => {
      const { world, subject } = await worldWithSubject(referrers);
      tagReferrers(world, subject, [SIGNATURE, SBOM]);
      expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([SIGNATURE, SBOM]);
      expect(typesIn((await world.referrers("a/b", subject, SBOM)).body)).toEqual([SBOM]);
    },
  );

  it.each(["404", "401", "html"] as const)(
    "where the API answers %s and there is no such tag, are an empty index",
    async (referrers) => {
      const { world, subject } = await worldWithSubject(referrers);
      const { body } = await world.referrers("a/b", subject);
      expect(JSON.parse(body)).toEqual({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [] });
    },
  );

  it.each([403, 405, 500])(
    "an upstream that answers %d to everything says nothing of them: an error, and no empty list",
    async (status) => {
      const { world, subject } = await worldWithSubject("native");
      world.fake.fail(/./, { kind: "status", status }, { times: 100 });
      await expect(world.referrers("a/b", subject)).rejects.toMatchObject({ code: "upstream-unavailable" });
    },
  );

  it("of a sha512 digest are found under the tag as the specification cuts it", async () => {
    const { world } = await worldWithSubject("404");
    const subject = digestOf(Buffer.from("subject"), "sha512");
    tagReferrers(world, subject, [SIGNATURE], `sha512-${subject.slice(7, 7 + 64)}`);
    expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([SIGNATURE]);
  });

  it.each(["native", "404"] as const)(
    "a signature that comes is seen within the short lifetime, though none was remembered (%s)",
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

  it("of many pages come whole, and a filter finds what stands on the last of them", async () => {
    const { world, subject } = await worldWithSubject("native");
    world.fake.settings.referrersPerPage = 2;
    for (let n = 0; n < 6; n++) attach(world, subject, `${SBOM}${n}`);
    attach(world, subject, SIGNATURE);
    expect(typesIn((await world.referrers("a/b", subject)).body)).toHaveLength(7);
    const signatures = await world.referrers("a/b", subject, SIGNATURE);
    expect([typesIn(signatures.body), signatures.filtered]).toEqual([[SIGNATURE], true]);
    expect(world.fake.count({ kind: "referrers" })).toBe(4);
  });

  it("of which a page is missing are an error, and no shorter list", async () => {
    const { world, subject } = await worldWithSubject("native");
    world.fake.settings.referrersPerPage = 1;
    for (let n = 0; n < 3; n++) attach(world, subject, SIGNATURE + n);
    const isSecond = ({ query }: RequestRecord) => query.has("next_page");
    world.fake.fail(isSecond, { kind: "status", status: 404 }, { times: 100 });
    await expect(world.referrers("a/b", subject)).rejects.toMatchObject({ code: "upstream-unavailable" });
    world.fake.faults.length = 0;
    expect(typesIn((await world.referrers("a/b", subject)).body)).toHaveLength(3);
  });

  it.each(["native", "404"] as const)(
    "are known after a restart while the upstream is down, and say that they may be old (%s)",
    async (referrers) => {
      const { world, subject } = await worldWithSubject(referrers);
      if (referrers === "native") attach(world, subject, SIGNATURE);
      else tagReferrers(world, subject, [SIGNATURE]);
      const { body } = await world.referrers("a/b", subject);
      await world.restart(() => world.fake.pause());
      const answer = await world.referrers("a/b", subject);
      expect(answer).toMatchObject({ body, outcome: "stale" });
      expect(answer.warning).toMatch(/^stale: fake\.test could not be asked/);
      expect(typesIn((await world.referrers("a/b", subject, SIGNATURE)).body)).toEqual([SIGNATURE]);
      expect(typesIn((await world.referrers("a/b", subject, SBOM)).body)).toEqual([]);
    },
  );

  it("that nobody was told of are an error while the upstream is down, and no empty list", async () => {
    const { world, subject } = await worldWithSubject("native");
    await world.get("a/b", "1");
    await world.fake.pause();
    await expect(world.referrers("a/b", subject)).rejects.toMatchObject({ code: "upstream-unavailable" });
  });

  it("of which there were none when they were asked for last are none while it is down", async () => {
    const { world, subject } = await worldWithSubject("native");
    await world.get("a/b", "1");
    await world.referrers("a/b", subject);
    await world.restart(() => world.fake.pause());
    const answer = await world.referrers("a/b", subject);
    expect([typesIn(answer.body), answer.outcome]).toEqual([[], "stale"]);
    expect(answer.warning).toMatch(/could not be asked/);
  });

  it("of a digest that nobody else knows are what was told of it last", async () => {
    const { world } = await worldWithSubject("native");
    const other = digestOf(Buffer.from("other"));
    await world.referrers("a/b", other);
    await world.fake.pause();
    world.clock.aheadMs += 60_000;
    const answer = await world.referrers("a/b", other);
    expect([typesIn(answer.body), answer.outcome]).toEqual([[], "stale"]);
    expect(answer.warning).toMatch(/could not be asked/);
  });

  it("come from the tag that is on disk while the upstream is down", async () => {
    const { world, subject } = await worldWithSubject("404");
    tagReferrers(world, subject, [SIGNATURE]);
    await world.get("a/b", subject.replace(":", "-"));
    await world.restart(() => world.fake.pause());
    const answer = await world.referrers("a/b", subject);
    expect([typesIn(answer.body), answer.outcome]).toEqual([[SIGNATURE], "stale"]);
    expect(answer.warning).toBeDefined();
  });

  it("are not given up for one empty answer, but for two that are some time apart", async () => {
    const { world, subject } = await worldWithSubject("native");
    attach(world, subject, SIGNATURE);
    await world.referrers("a/b", subject);
    const empty = JSON.stringify({ schemaVersion: 2, manifests: [] });
    world.fake.fail(/referrers/, { kind: "status", status: 200, body: empty }, { times: 100 });
    world.clock.aheadMs += 60_000;
    expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([SIGNATURE]);
    world.clock.aheadMs += 60_000;
    expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([]);
  });

  it("that nest as deep as they are long are an error, or what they were", async () => {
    const { world, subject } = await worldWithSubject("native");
    const body = `{"manifests":[${'{"a":['.repeat(1_000_000)}`;
    const headers = { "content-type": OCI_INDEX };
    world.fake.fail(/referrers/, { kind: "status", status: 200, body, headers }, { times: 3 });
    await expect(world.referrers("a/b", subject)).rejects.toMatchObject({ code: "upstream-unavailable" });
    world.fake.faults.length = 0;
    attach(world, subject, SIGNATURE);
    expect(typesIn((await world.referrers("a/b", subject)).body)).toEqual([SIGNATURE]);
    world.fake.fail(/referrers/, { kind: "status", status: 200, body, headers }, { times: 3 });
    world.clock.aheadMs += 60_000;
    expect(await world.referrers("a/b", subject)).toMatchObject({ outcome: "stale" });
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
