/** Shows which names leave by themselves after a long time without a use, and which never do. */
import { expect, it } from "vitest";
import type { UnneededRows } from "../../../src/metadata/unneeded-rows.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { fleetPart } from "../../support/fleet-part.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";

const DAY_MS = 86_400_000;
const WHERE = { upstream: UPSTREAM, repository: "a/b" };

/** Pulls an image by its tag; `isWhole`: with its blobs. */
async function pull(world: MirrorWorld, tag: string, seed: number, isWhole: boolean) {
  const image = world.fake.addImage("a/b", tag, { seed, layers: [MiB / 8] });
  await world.get("a/b", tag);
  for (const digest of isWhole ? [image.configDigest, ...image.layerDigests] : [])
    await world.read("a/b", digest);
  await world.fills(0);
  // Only then a use has a date.
  await world.mirror.contents.list({ sort: "name", limit: 1 });
  return image;
}

async function tags(world: MirrorWorld): Promise<string[]> {
  return (await world.metadata.tagsOf(WHERE)).map(({ tag }) => tag);
}

it("a manifest that nobody used for 90 days and whose blobs are gone goes with its tag and links, others stay", async () => {
  const world = await startWorld();
  const gone = await pull(world, "gone", 1, false);
  await pull(world, "whole", 20, true);
  world.clock.aheadMs += 91 * DAY_MS;
  await pull(world, "used", 40, false);
  await world.mirror.contents.sweepNames();
  expect(await tags(world)).toEqual(["used", "whole"]);
  expect(await world.metadata.manifest(gone.manifestDigest)).toBeUndefined();
  expect(await world.metadata.link(WHERE, gone.manifestDigest)).toBeUndefined();
  expect(await world.metadata.link(WHERE, gone.configDigest)).toBeUndefined();
  await world.get("a/b", "gone");
});

it("what a keep rule stands for stays, however long nobody used it", async () => {
  const world = await startWorld({ keep: [`${UPSTREAM}/a/b:gone`] });
  await pull(world, "gone", 1, false);
  world.clock.aheadMs += 91 * DAY_MS;
  await world.mirror.contents.sweepNames();
  expect(await tags(world)).toEqual(["gone"]);
});

it("a tag's only manifest stays while its upstream cannot be asked", async () => {
  const world = await startWorld({ upstream: { policy: { attempts: 1 } } });
  await pull(world, "gone", 1, false);
  world.clock.aheadMs += 91 * DAY_MS;
  world.fake.fail(() => true, { kind: "status", status: 503 }, { times: Number.POSITIVE_INFINITY });
  await world.mirror.contents.sweepNames();
  expect(await tags(world)).toEqual(["gone"]);
  await eventually(async () => expect((await world.mirror.status()).pins).toBe(0));
});

it("in a fleet it is its rows that are looked through, and of copies no upstream is asked", async () => {
  const digest = digestOf(Buffer.from("unneeded"));
  const tag = { tag: "gone", acceptClass: "", digest, mediaType: "a/b", size: 1, checkedAt: 1, usedAt: 1 };
  const left: string[] = [];
  const rowsNamed = (name: string): UnneededRows => ({
    manifestsUnusedSince: async () => [digest],
    partsOf: async () => [],
    repositoriesWith: async () => [WHERE],
    tagsIn: async () => [tag],
    leave: async (leaving) => {
      left.push(name);
      return { ...leaving, tagKeys: [], manifests: [], unlinked: [] };
    },
    haveLeft: async () => undefined,
    dropOldLists: async () => undefined,
  });
  const world = await startWorld({
    upstream: { policy: { attempts: 1 } },
    fleet: fleetPart({ unneeded: [rowsNamed("of all"), { ...rowsNamed("copies"), areCopies: true }] }),
  });
  world.fake.fail(() => true, { kind: "status", status: 503 }, { times: Number.POSITIVE_INFINITY });
  await world.mirror.contents.list({ sort: "name", limit: 1 });
  await world.mirror.contents.sweepNames();
  expect(left).toEqual(["copies"]);
});
