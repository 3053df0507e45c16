/** Shows when a manifest is answered at once, from memory: only where `manifest` would give the same as a hit, without asking anybody. */
import { expect, it } from "vitest";
import { type MirrorWorld, startWorld, UPSTREAM } from "../support/mirror-world.ts";

const LIFETIME_MS = 600_000;

/** A world in which `a/b:1` was pulled just now, and asked for by its digest. */
async function worldWithTag(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const image = world.fake.addImage("a/b", "1", { layers: [100] });
  await world.get("a/b", "1");
  await world.get("a/b", image.manifestDigest);
  world.fake.forgetRequests();
  return { world, digest: image.manifestDigest };
}

/** By its tag, and by its digest. */
function atOnce(world: MirrorWorld, digest: string, ask = {}) {
  return [world.atOnce("a/b", "1", ask), world.atOnce("a/b", digest, ask)].map((answer) => answer?.outcome);
}

it("what is fresh in memory is told at once, as the hit that it is, and nobody is asked", async () => {
  const { world, digest } = await worldWithTag();
  expect(world.atOnce("a/b", "1")).toMatchObject({
    outcome: "hit",
    warning: undefined,
    manifest: { digest },
  });
  expect(atOnce(world, digest)).toEqual(["hit", "hit"]);
  expect(world.fake.count()).toBe(0);
});

it("what was never asked for, and a digest of another repository, is not", async () => {
  const { world, digest } = await worldWithTag();
  expect([world.atOnce("a/b", "2"), world.atOnce("a/c", "1"), world.atOnce("a/c", digest)]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
});

it("a tag that is older than its lifetime is not, and one that moved is told as it is now", async () => {
  const { world, digest } = await worldWithTag();
  world.clock.aheadMs += LIFETIME_MS;
  expect(atOnce(world, digest)).toEqual([undefined, "hit"]);
  await world.get("a/b", "1");
  expect(atOnce(world, digest)).toEqual(["hit", "hit"]);
  const moved = world.fake.addImage("a/b", "1", { layers: [200] });
  expect(await world.mirror.contents.refresh(`${UPSTREAM}/a/b:1`, false)).toHaveLength(1);
  expect(world.atOnce("a/b", "1")?.manifest.digest).toBe(moved.manifestDigest);
});

it("what was removed is not", async () => {
  const { world, digest } = await worldWithTag();
  await world.mirror.contents.remove(`${UPSTREAM}/a/b`, {});
  expect(atOnce(world, digest)).toEqual([undefined, undefined]);
});

it("what only our credentials may read is told at once to clients that logged in, and to nobody else", async () => {
  const users = { granary: "hunter2" };
  const { world, digest } = await worldWithTag({
    settings: { users },
    upstream: { credentials: { username: "granary", password: "hunter2" } },
  });
  expect(atOnce(world, digest)).toEqual([undefined, undefined]);
  expect(atOnce(world, digest, { loggedIn: true })).toEqual(["hit", "hit"]);
});

it("a client that does not take its type is not told of it at once", async () => {
  const { world, digest } = await worldWithTag();
  expect(atOnce(world, digest, { accept: ["application/vnd.other+json"] })[0]).toBe(undefined);
});

it("where rules say what may pass, nothing is", async () => {
  const { world, digest } = await worldWithTag();
  world.renewPassage({ deny: ["a/other"] });
  expect(atOnce(world, digest)).toEqual([undefined, undefined]);
  world.renewPassage({});
  expect(atOnce(world, digest)).toEqual(["hit", "hit"]);
});

it("where new content has to wait, a digest is not", async () => {
  const { world, digest } = await worldWithTag();
  world.renewPassage({ cooldown: 60_000 });
  expect(atOnce(world, digest)).toEqual(["hit", undefined]);
});

it("nothing is after the end", async () => {
  const { world, digest } = await worldWithTag();
  const { mirror } = world;
  await world.stop();
  const target = {
    kind: "manifest",
    upstream: UPSTREAM,
    repository: "a/b",
    reference: { tag: "1" },
  } as const;
  expect(mirror.manifestAtOnce(target, { loggedIn: false, userAgent: undefined, accept: [] }, false)).toBe(
    undefined,
  );
  expect(digest).toMatch(/^sha256:/);
});
