/** Shows what a refresh asks, and what it refuses: it never does half of what its pattern stands for. */
import { expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import type { AskAnew } from "../../../src/fleet/knowledge/ask-anew.ts";
import { openDatabase } from "../../../src/metadata/database.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { fleetPart } from "../../support/fleet-part.ts";
import { startWorld, UPSTREAM } from "../../support/mirror-world.ts";

it("asks for each tag whatever its age, and says what moved and what could not be asked", async () => {
  const world = await startWorld();
  const { contents } = world.mirror;
  const old = world.fake.addImage("a/b", "1", { layers: [100] });
  const other = world.fake.addImage("a/b", "2", { seed: 5, layers: [100] });
  for (const tag of ["1", "2"]) await world.get("a/b", tag);
  const moved = world.fake.addImage("a/b", "1", { seed: 9, layers: [100] });
  world.fake.forgetRequests();
  const dry = await contents.refresh(`${UPSTREAM}/a/b`, true);
  expect(dry.map(({ tag, before, now }) => [tag, before, now])).toEqual([
    ["1", old.manifestDigest, undefined],
    ["2", other.manifestDigest, undefined],
  ]);
  expect(world.fake.requests).toEqual([]);
  expect(await contents.refresh(`${UPSTREAM}/a/b`, false)).toMatchObject([
    { tag: "1", before: old.manifestDigest, now: moved.manifestDigest },
    { tag: "2", before: other.manifestDigest, now: other.manifestDigest },
  ]);
  await world.mirror.offline.set(true, undefined, false);
  expect(await contents.refresh(`${UPSTREAM}/a/b:1`, false)).toMatchObject([
    { before: moved.manifestDigest, now: undefined, reason: expect.stringContaining("offline") },
  ]);
});

it("is told to the other nodes of a fleet, and does nothing where they cannot hear it", async () => {
  const told: AskAnew[] = [];
  const tellAskAnew = async (names: AskAnew) => {
    if (told.length > 0) throw new GranaryError("fleet-unavailable", "The database is away.");
    told.push(names);
  };
  const world = await startWorld({ fleet: fleetPart({ tellAskAnew }) });
  world.fake.addImage("a/b", "1", { layers: [100] });
  await world.get("a/b", "1");
  await world.mirror.contents.refresh(`${UPSTREAM}/a/b`, false);
  expect(told).toEqual([{ upstream: UPSTREAM, repository: "a/b", tags: ["1"], isPushed: false }]);
  world.fake.forgetRequests();
  const again = world.mirror.contents.refresh(`${UPSTREAM}/a/b`, false);
  await expect(again).rejects.toMatchObject({ code: "fleet-unavailable" });
  expect(await world.get("a/b", "1")).toMatchObject({ outcome: "hit" });
  expect(world.fake.requests).toEqual([]);
});

it("that another node was asked for makes this one ask too", async () => {
  const world = await startWorld();
  const old = world.fake.addImage("a/b", "1", { layers: [100] });
  await world.get("a/b", "1");
  const moved = world.fake.addImage("a/b", "1", { seed: 9, layers: [100] });
  expect((await world.get("a/b", "1")).manifest.digest).toBe(old.manifestDigest);
  world.mirror.askAnew({ upstream: UPSTREAM, repository: "a/b", tags: ["1"], isPushed: false });
  expect((await world.get("a/b", "1")).manifest.digest).toBe(moved.manifestDigest);
});

it("of what was pulled by its digest says that it has no tag", async () => {
  const world = await startWorld();
  const image = world.fake.addImage("a/b", undefined, { layers: [100] });
  await world.get("a/b", image.manifestDigest);
  await expect(world.mirror.contents.refresh(`${UPSTREAM}/a/b`, false)).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringContaining("No tag is stored of what"),
  });
});

it("of more tags than can be asked for at once refuses all of them", async () => {
  const world = await startWorld({
    before: async (store) => {
      const { metadata } = openDatabase(store.layout.database);
      const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [] }));
      const where = { upstream: UPSTREAM, repository: "a/b" };
      const manifest = { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
      await metadata.recordManifest(where, manifest, []);
      const facts = { mediaType: OCI_MANIFEST, size: bytes.length, checkedAt: 1, digest: manifest.digest };
      for (let tag = 0; tag < 1_001; tag++)
        await metadata.recordTag({ ...where, ...facts, tag: `t${tag}`, acceptClass: "" });
      await metadata.close();
    },
  });
  await expect(world.mirror.contents.refresh(`${UPSTREAM}/a/b`, false)).rejects.toMatchObject({
    code: "reference-invalid",
    message: expect.stringContaining("more than 1000 tags"),
  });
  expect(world.fake.requests).toEqual([]);
  expect(await world.mirror.contents.refresh(`${UPSTREAM}/a/b:t100*`, true)).toHaveLength(2);
});
