/** Shows how far a registry's word on a client's own login reaches: this client, this thing, one minute, and not a question more than it takes. */
import { expect, onTestFinished, test } from "vitest";
import { silentLog } from "../../../src/observe/log.ts";
import { MANIFEST_UNION } from "../../../src/oci/media-types.ts";
import { Prefetch } from "../../../src/warm/prefetch.ts";
import type { RequestRecord } from "../../support/fake-registry.ts";
import { type MirrorWorld, startWorld } from "../../support/mirror-world.ts";
import { PRIVATE, startPrivateRegistry } from "../../support/private-registry.ts";
import { putBehind } from "../../support/slow-line/publish.ts";
import { SlowLine } from "../../support/slow-line.ts";

const MINUTE_MS = 60_000;
const loggedIn = { loggedIn: true, userAgent: undefined };
const ANN = ["ann", "anns secret"] as const;

async function startWarm() {
  const registry = await startPrivateRegistry("basic");
  const { world, image } = registry;
  await world.get(PRIVATE, "1", loggedIn);
  await world.read(PRIVATE, image.layerDigests[0] ?? "", undefined, loggedIn);
  await world.fills(0);
  return { ...registry, authorization: await registry.shows(...ANN) };
}

test("a tag is what the registry tells this client, where the cache still knows an older manifest", async () => {
  const { world, fake, image, authorization } = await startWarm();
  const newer = fake.addImage(PRIVATE, "1", { layers: [300], seed: 5 });
  expect((await world.get(PRIVATE, "1", loggedIn)).manifest.digest).toBe(image.manifestDigest);
  expect((await world.get(PRIVATE, "1", { authorization })).manifest.digest).toBe(newer.manifestDigest);
  const head = await world.head(PRIVATE, "1", { authorization });
  expect(head).toMatchObject({ digest: newer.manifestDigest });
});

test("while a tag's new manifest has to wait, this client gets the older one if the registry gives it that one too", async () => {
  const { world, fake, image, authorization } = await startWarm();
  world.renewPassage({ cooldown: 60 * MINUTE_MS });
  expect((await world.get(PRIVATE, "1", { authorization })).manifest.digest).toBe(image.manifestDigest);
  fake.addImage(PRIVATE, "1", { layers: [300], seed: 5 });
  world.clock.aheadMs += 11 * MINUTE_MS;
  const kept = await world.get(PRIVATE, "1", { authorization });
  expect(kept.manifest.digest).toBe(image.manifestDigest);
  expect(kept.warning).toMatch(/held back/);
  world.clock.aheadMs += 2 * MINUTE_MS;
  const isOlder = ({ headers, reference }: RequestRecord) =>
    headers.authorization === authorization && reference === image.manifestDigest;
  fake.fail(isOlder, { kind: "status", status: 404 }, { times: 9 });
  await expect(world.get(PRIVATE, "1", { authorization })).rejects.toMatchObject({ code: "denied" });
});

test("what was said of one thing says nothing of another, nor of the same in another repository", async () => {
  const { world, fake, image, authorization } = await startWarm();
  const hidden = fake.addImage("team/hidden", "1", { layers: [5_000] });
  fake.settings.privateRepositories.add("team/hidden");
  fake.settings.readers["team/hidden"] = ["granary"];
  await world.get("team/hidden", "1", loggedIn);
  expect(hidden.manifestDigest).toBe(image.manifestDigest);
  await world.get(PRIVATE, image.manifestDigest, { authorization });
  for (const reference of ["1", hidden.manifestDigest])
    await expect(world.get("team/hidden", reference, { authorization })).rejects.toMatchObject({
      code: "not-found",
    });
  fake.settings.readers[PRIVATE] = ["granary"];
  expect((await world.get(PRIVATE, image.manifestDigest, { authorization })).outcome).toBe("hit");
  await expect(world.get(PRIVATE, "1", { authorization })).rejects.toMatchObject({ code: "not-found" });
});

test("many at once that show the same cost one question, also over a slow line, and others get nothing", async () => {
  const { world, fake, image, authorization, shows } = await startWarm();
  const line = new SlowLine({ delayMs: 200, rate: 20_000 });
  onTestFinished(() => line.close());
  await putBehind(line, fake);
  await world.restart();
  fake.forgetRequests();
  const wrong = await shows("ann", "a wrong secret");
  const [layer = ""] = image.layerDigests;
  const read = (shown: string) => world.read(PRIVATE, layer, undefined, { authorization: shown });
  const right = Array.from({ length: 40 }, () => read(authorization));
  const refused = Promise.allSettled(Array.from({ length: 40 }, () => read(wrong)));
  for (const bytes of await Promise.all(right)) expect(bytes).toHaveLength(5_000);
  for (const each of await refused) expect(each).toMatchObject({ reason: { code: "not-found" } });
  const shownAs = (shown: string) => fake.requests.filter(({ headers }) => headers.authorization === shown);
  expect(shownAs(authorization).map(({ method }) => method)).toEqual(["HEAD"]);
  expect(shownAs(wrong).map(({ method }) => method)).toEqual(["HEAD"]);
  expect(fake.bytesSentFor(layer)).toBe(0);
});

test("a registry that answers strangers and not this client leaves it without an answer, and without the content", async () => {
  const { world, fake, authorization } = await startWarm();
  const isAnn = ({ headers }: RequestRecord) => headers.authorization === authorization;
  for (const [fault, code] of [
    [{ kind: "status", status: 503 }, "upstream-unavailable"],
    [{ kind: "redirect", location: "http://127.0.0.1:9/login", status: 302 }, "upstream-unavailable"],
    [{ kind: "rate-limited" }, "rate-limited"],
  ] as const) {
    fake.fail(isAnn, fault, { times: 3 });
    await expect(world.get(PRIVATE, "1", { authorization })).rejects.toMatchObject({ code });
    fake.faults.length = 0;
  }
  expect((await world.get(PRIVATE, "1", { authorization })).outcome).toBe("hit");
});

test("a limit on strangers is none on a client that shows a login", async () => {
  const { world, fake, authorization } = await startWarm();
  fake.fail(({ headers }) => headers.authorization === undefined, { kind: "rate-limited" }, { times: 99 });
  await expect(world.get(PRIVATE, "1")).rejects.toMatchObject({ code: "rate-limited" });
  expect((await world.get(PRIVATE, "1", { authorization })).outcome).toBe("hit");
});

test("what is longer than any login is refused, and sent to nobody", async () => {
  const { world, fake } = await startWarm();
  const authorization = `Bearer ${"x".repeat(16 * 1024)}`;
  await expect(world.get(PRIVATE, "1", { authorization })).rejects.toMatchObject({ code: "not-found" });
  expect(fake.requests.filter(({ headers }) => headers.authorization === authorization)).toEqual([]);
});

test("what is not there is believed no longer than of strangers, though a client shows a login", async () => {
  const { world, fake, authorization } = await startWarm();
  await expect(world.get(PRIVATE, "next", { authorization })).rejects.toMatchObject({ code: "not-found" });
  fake.addImage(PRIVATE, "next", { layers: [10], seed: 3 });
  world.clock.aheadMs += MINUTE_MS / 4;
  expect((await world.get(PRIVATE, "next", { authorization })).outcome).toBe("miss");
});

test("somebody who gets it by a login does not make it public", async () => {
  const { world, image, authorization } = await startWarm();
  const [layer = ""] = image.layerDigests;
  const ask = { authorization, accept: MANIFEST_UNION };
  await Promise.allSettled([world.get(PRIVATE, "1"), world.get(PRIVATE, "1", ask), world.get(PRIVATE, "1")]);
  await world.read(PRIVATE, layer, undefined, ask);
  await world.tags(PRIVATE, "", { ...ask, loggedIn: false, userAgent: undefined });
  for (const attempt of [world.get(PRIVATE, "1"), world.stat(PRIVATE, layer), world.tags(PRIVATE)])
    await expect(attempt).rejects.toMatchObject({ code: "not-found" });
});

test("what only a client's login opens is not prefetched with it", async () => {
  const { world, fake, authorization } = await startWarm();
  const next = fake.addImage(PRIVATE, "next", { layers: [400], seed: 3 });
  const prefetch = new Prefetch({ mirror: world.mirror, clock: world.clock, log: silentLog });
  prefetch.set([{ os: "linux", architecture: "amd64" }]);
  const target = {
    kind: "manifest",
    upstream: "fake.test",
    repository: PRIVATE,
    reference: { tag: "next" },
  } as const;
  const ask = { loggedIn: false, userAgent: undefined, accept: [], authorization };
  prefetch.served(target, ask, await world.mirror.manifest(target, ask));
  await expect.poll(() => fake.count({ kind: "blob" })).toBeGreaterThan(1);
  await prefetch.close();
  const blobs = fake.matching({ kind: "blob", reference: next.layerDigests[0] ?? "" });
  expect(blobs.filter(({ headers }) => headers.authorization === authorization)).toEqual([]);
  expect(fake.bytesSentFor(next.layerDigests[0] ?? "")).toBe(0);
});

test.each([
  ["Granary has no login for", {}],
  [
    "everybody may see",
    { credentials: { username: "granary", password: "hunter2" }, policy: { privateContent: "share" } },
  ],
] as const)("a registry that %s never hears what a client shows", async (_, upstream) => {
  const world = await startWorld({ settings: { users: { granary: "hunter2" } }, upstream });
  await neverHears(world);
});

test("for what is public, the registry never hears what a client shows", async () => {
  const credentials = { username: "granary", password: "hunter2" };
  const world = await startWorld({
    mode: "hub",
    settings: { users: { granary: "hunter2" } },
    upstream: { credentials },
  });
  await neverHears(world);
});

async function neverHears(world: MirrorWorld): Promise<void> {
  const image = world.fake.addImage("library/alpine", "3", { layers: [100] });
  const ask = { authorization: "Bearer of-a-client", loggedIn: false, userAgent: undefined };
  await world.get("library/alpine", "3", ask);
  await world.get("library/alpine", image.manifestDigest, ask);
  await world.read("library/alpine", image.layerDigests[0] ?? "", undefined, ask);
  await world.tags("library/alpine", "", ask);
  await world.referrers("library/alpine", image.manifestDigest, undefined, ask);
  expect(world.fake.requests.filter(({ headers }) => headers.authorization === ask.authorization)).toEqual(
    [],
  );
}
