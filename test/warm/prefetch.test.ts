/** Shows the prefetch: what a manifest lists comes in once it was served, for nobody who could not fetch it, and nothing at the cost of clients. */
import { expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { parsePlatform } from "../../src/oci/platform.ts";
import { Prefetch } from "../../src/warm/prefetch.ts";
import { placeImage, placeIndex } from "../support/fake-images.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM, type WorldOptions } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";

async function prefetching(options: WorldOptions = {}, platforms = ["linux/amd64"]) {
  const world = await startWorld(options);
  const prefetch = new Prefetch({ mirror: world.mirror, clock: systemClock, log: silentLog });
  prefetch.set(platforms.map(parsePlatform));
  onTestFinished(() => prefetch.close());
  /** A client pulls the manifest, and nothing else. */
  const pull = async (repository: string, tag: string, loggedIn = false) => {
    const ask = { loggedIn, userAgent: undefined, accept: [] };
    const target = { kind: "manifest", upstream: UPSTREAM, repository, reference: { tag } } as const;
    const answer = await world.mirror.manifest(target, ask);
    prefetch.served(target, ask, answer);
    return answer.manifest;
  };
  return { world, prefetch, pull };
}

/** Of an image for two platforms, the digests of the layers. */
function placeApp(world: MirrorWorld) {
  const child = (platform: string) => {
    const layer = Buffer.from(`layer ${platform}`);
    return { ...placeImage(world.fake, "org/app", undefined, { platform, layers: [layer] }), platform };
  };
  const children = [child("linux/amd64"), child("linux/arm64")];
  placeIndex(world.fake, "org/app", "1", children);
  return children.map(({ digest }) => String(digest));
}

const blobs = async (world: MirrorWorld) => (await world.mirror.status()).blobs;

test("config and layers of a served image come in without anybody asking", async () => {
  const { world, pull } = await prefetching();
  world.fake.addImage("a/b", "1", { layers: [2 * MiB, 100] });
  await pull("a/b", "1");
  await eventually(async () => expect(await blobs(world)).toBe(3));
});

test("of a served index, the image of the platforms in the settings comes in, and no other", async () => {
  const { world, pull } = await prefetching();
  const [amd64 = "", arm64 = ""] = placeApp(world);
  await pull("org/app", "1");
  await eventually(async () => expect(await blobs(world)).toBe(2));
  const asked = world.fake.matching({ method: "GET", kind: "manifest" }).map(({ reference }) => reference);
  expect(asked).toContain(amd64);
  expect(asked).not.toContain(arm64);
});

test("an index costs no further manifest while few pulls are left", async () => {
  const settings = { rateLimit: { limit: 10, windowSeconds: 21_600 }, auth: "none" } as const;
  const { world, pull, prefetch } = await prefetching({ mode: "hub", settings });
  for (let place = 0; place < 9; place++) {
    world.fake.addImage("a/other", String(place), { layers: [5], seed: 100 + place });
    await world.get("a/other", String(place));
  }
  placeApp(world);
  await pull("org/app", "1");
  await prefetch.close();
  expect(world.fake.count({ repository: "org/app", method: "GET", kind: "manifest" })).toBe(1);
});

test("nothing private comes in for a stranger, and it does for who may read it", async () => {
  const { world, pull, prefetch } = await prefetching({
    mode: "hub",
    settings: { users: { me: "secret" }, privateRepositories: new Set(["a/private"]) },
    upstream: { credentials: { username: "me", password: "secret" } },
  });
  world.fake.addImage("a/private", "1", { layers: [10] });
  await expect(pull("a/private", "1")).rejects.toThrow();
  const manifest = await world.mirror.manifest(
    { kind: "manifest", upstream: UPSTREAM, repository: "a/private", reference: { tag: "1" } },
    { loggedIn: true, userAgent: undefined, accept: [] },
  );
  // As if a stranger had been given the document: its parts are asked for as that stranger.
  prefetch.served(
    { kind: "manifest", upstream: UPSTREAM, repository: "a/private", reference: { tag: "1" } },
    { loggedIn: false, userAgent: undefined, accept: [] },
    manifest,
  );
  await pull("a/private", "1", true);
  await eventually(async () => expect(await blobs(world)).toBe(2));
});

test("a manifest that is served again and again is looked at once", async () => {
  const { world, pull } = await prefetching();
  world.fake.addImage("a/b", "1", { layers: [100] });
  await pull("a/b", "1");
  await eventually(async () => expect(await blobs(world)).toBe(2));
  await world.fills(0);
  world.fake.forgetRequests();
  for (let times = 0; times < 20; times++) await pull("a/b", "1");
  expect(world.fake.count()).toBe(0);
});

test("off, it does nothing; a close ends what is under way", async () => {
  const { world, pull, prefetch } = await prefetching(
    { settings: { bandwidth: { registry: MiB, cdn: MiB } } },
    [],
  );
  world.fake.addImage("a/b", "1", { layers: [64 * MiB] });
  await pull("a/b", "1");
  expect(world.fake.count({ kind: "blob" })).toBe(0);
  prefetch.set([parsePlatform("linux/amd64")]);
  await pull("a/b", "1");
  await eventually(() => expect(world.fake.count({ kind: "blob" })).toBeGreaterThan(0));
  await prefetch.close();
});
