/** Shows who may be served what: storage is shared, permission never is. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { MiB, startWorld } from "../support/mirror-world.ts";
import { startFake } from "../support/start-upstream.ts";
import { upstreamOf } from "../support/upstream-of.ts";

const credentials = { username: "granary", password: "hunter2" };
const loggedIn = { loggedIn: true };
const HOUR_MS = 3_600_000;

/** A registry that Granary logs in to, with a public and a private repository. */
async function worldWithSecret(privateContent: "refuse" | "share" = "refuse", offlineDeadlineMs = 20_000) {
  const world = await startWorld({
    mode: "hub",
    settings: { users: { granary: "hunter2" }, privateRepositories: new Set(["alice/secret"]) },
    upstream: { credentials, policy: { privateContent, offlineDeadlineMs } },
  });
  const open = world.fake.addImage("library/alpine", "3", { layers: [100] });
  const secret = world.fake.addImage("alice/secret", "1", { layers: [200], seed: 7 });
  return { world, open, secret };
}

describe("a digest, through a repository that was not seen to contain it (H54)", () => {
  it("is asked for there before it is served, once, and not transferred again", async () => {
    const world = await startWorld();
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 1000 }, "a/one");
    world.fake.contents.repository("a/two");
    await world.read("a/one", digest);
    await expect(world.read("a/two", digest)).rejects.toMatchObject({ code: "not-found" });
    await expect(world.stat("a/two", digest)).rejects.toMatchObject({ code: "not-found" });
    world.fake.addGeneratedBlob({ seed: 1, size: 1000 }, "a/two");
    world.fake.forgetRequests();
    for (let pass = 0; pass < 2; pass++) expect(await world.read("a/two", digest)).toHaveLength(1000);
    expect(world.fake.requests.map(({ method }) => method)).toEqual(["HEAD"]);
  });

  it("is not served while that cannot be found out", async () => {
    const world = await startWorld();
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 1000 });
    await world.read("a/one", digest);
    await world.fake.pause();
    await expect(world.read("a/two", digest)).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(await world.read("a/one", digest)).toHaveLength(1000);
  });

  it("is not served from a running fill either", async () => {
    const world = await startWorld({ settings: { bandwidth: { registry: 4 * MiB, cdn: undefined } } });
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: MiB }, "a/one");
    world.fake.contents.repository("a/two");
    const reading = world.read("a/one", digest);
    await world.fills(1);
    await expect(world.read("a/two", digest)).rejects.toMatchObject({ code: "not-found" });
    expect(await reading).toHaveLength(MiB);
  });

  it("is served where a manifest of that repository lists it, without a question (H55)", async () => {
    const world = await startWorld();
    const { layerDigests } = world.fake.addImage("a/one", "1", { layers: [500] });
    world.fake.addImage("a/two", "1", { layers: [500] });
    const [layer = ""] = layerDigests;
    await world.get("a/two", "1");
    await world.get("a/one", "1");
    await world.read("a/one", layer);
    world.fake.forgetRequests();
    expect(await world.read("a/two", layer)).toHaveLength(500);
    expect(world.fake.count()).toBe(0);
  });
});

it("two upstreams with one blob share its file, and each is asked whether it has it (H54)", async () => {
  const other = await startFake({ mode: "plain" });
  const world = await startWorld({ others: [upstreamOf(other, { name: "other.test" })] });
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: 1000 });
  await world.read("a/b", digest);
  const there = { upstream: "other.test" };
  await expect(world.read("a/b", digest, undefined, there)).rejects.toMatchObject({ code: "not-found" });
  other.addGeneratedBlob({ seed: 1, size: 1000 });
  expect(await world.read("a/b", digest, undefined, there)).toHaveLength(1000);
  expect(other.count({ method: "GET" })).toBe(0);
  await world.fills(0);
  expect((await world.mirror.status()).blobs).toBe(1);
});

it("an upstream that is not configured is not asked for anything (H16)", async () => {
  const world = await startWorld();
  const there = { upstream: "evil.test" };
  await expect(world.get("a/b", "1", there)).rejects.toMatchObject({ code: "route-unknown" });
  expect(world.fake.count()).toBe(0);
});

describe("content that only our credentials can read (H80)", () => {
  it("is refused to anonymous clients, by manifest, blob and list, also when it is stored", async () => {
    const { world, secret } = await worldWithSecret();
    const [layer = ""] = secret.layerDigests;
    const attempts = () => [
      world.get("alice/secret", "1"),
      world.head("alice/secret", secret.manifestDigest),
      world.open("alice/secret", layer),
      world.stat("alice/secret", layer),
      world.tags("alice/secret"),
      world.referrers("alice/secret", secret.manifestDigest),
    ];
    for (const pass of ["cold", "stored"]) {
      for (const attempt of await Promise.allSettled(attempts())) {
        expect(attempt.status, pass).toBe("rejected");
      }
      await expect(world.get("alice/secret", "1"), pass).rejects.toMatchObject({ code: "denied" });
      await world.get("alice/secret", "1", loggedIn);
      await world.read("alice/secret", layer, undefined, loggedIn);
    }
    expect(world.fake.bytesSentFor(layer)).toBe(200);
  });

  it("is served to clients that logged in, and public content to everybody", async () => {
    const { world, open, secret } = await worldWithSecret();
    const [layer = ""] = open.layerDigests;
    expect((await world.get("alice/secret", "1", loggedIn)).manifest.digest).toBe(secret.manifestDigest);
    expect((await world.get("library/alpine", "3")).manifest.digest).toBe(open.manifestDigest);
    expect(await world.read("library/alpine", layer)).toHaveLength(100);
  });

  it("is served to all where the policy says share", async () => {
    const { world, secret } = await worldWithSecret("share");
    expect((await world.get("alice/secret", "1")).manifest.digest).toBe(secret.manifestDigest);
  });

  it("stays what it was over a restart, while the upstream is down", async () => {
    const { world, open } = await worldWithSecret();
    await world.get("library/alpine", "3");
    await world.read("library/alpine", open.configDigest);
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "denied" });
    await world.get("alice/secret", "1", loggedIn);
    await world.restart(() => world.fake.pause());
    world.clock.aheadMs += 2 * HOUR_MS;
    expect((await world.get("library/alpine", "3")).outcome).toBe("stale");
    await world.read("library/alpine", open.configDigest);
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "denied" });
  });

  it("is refused while nothing is known yet and nobody can be asked", async () => {
    const { world } = await worldWithSecret();
    await world.get("alice/secret", "1", loggedIn);
    await world.restart(() => world.fake.pause());
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect((await world.get("alice/secret", "1", loggedIn)).outcome).toBe("hit");
  });

  it("that becomes public is served within a minute, and the other way round within an hour", async () => {
    const { world } = await worldWithSecret();
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "denied" });
    world.fake.settings.privateRepositories.delete("alice/secret");
    world.clock.aheadMs += 60_001;
    await world.get("alice/secret", "1");
    world.fake.settings.privateRepositories.add("alice/secret");
    // Tokens of the fake know what could be read when they were issued.
    world.fake.revokeTokens();
    world.clock.aheadMs += HOUR_MS + 1;
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "denied" });
  });

  it("is probed for once by many, without credentials", async () => {
    const { world, open } = await worldWithSecret();
    await Promise.all(Array.from({ length: 10 }, () => world.get("library/alpine", "3")));
    await world.read("library/alpine", open.configDigest);
    const manifests = world.fake.matching({ kind: "manifest", status: 200 });
    expect(manifests.map(({ method }) => method).sort()).toEqual(["GET", "HEAD"]);
  });
});

describe("an absent tag says nothing about who may read the repository (H80)", () => {
  it("a public repository stays readable after somebody asked for a tag that it has not", async () => {
    const { world } = await worldWithSecret();
    await expect(world.get("library/alpine", "none")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.get("library/alpine", "3")).outcome).toBe("miss");
    await expect(world.get("library/alpine", "none")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.get("library/alpine", "3")).outcome).toBe("hit");
  });

  it("a repository that does not exist is absent, not private", async () => {
    const { world } = await worldWithSecret();
    await expect(world.get("library/none", "1")).rejects.toMatchObject({ code: "not-found" });
  });

  it("blobs, tags and referrers of a public repository without a tag latest are served when the probe is old", async () => {
    const { world, open } = await worldWithSecret();
    await world.get("library/alpine", "3");
    await world.restart();
    world.clock.aheadMs += HOUR_MS + 1;
    expect(await world.read("library/alpine", open.configDigest)).not.toHaveLength(0);
    world.clock.aheadMs += HOUR_MS + 1;
    expect((await world.tags("library/alpine")).body).toContain('"3"');
    world.clock.aheadMs += HOUR_MS + 1;
    expect((await world.referrers("library/alpine", open.manifestDigest)).outcome).toBe("miss");
  });

  it("a slow probe does not hold up what was public before", async () => {
    const { world, open } = await worldWithSecret("refuse", 3_000);
    await world.get("library/alpine", "3");
    await world.read("library/alpine", open.configDigest);
    world.clock.aheadMs += HOUR_MS + 1;
    world.fake.fail(/manifests/, { kind: "hang" }, { times: 100 });
    const begunAt = performance.now();
    await world.read("library/alpine", open.configDigest);
    expect(performance.now() - begunAt).toBeLessThan(3_000);
  });
});

it("no secret reaches the database, the metrics or an error (H79)", async () => {
  const { world } = await worldWithSecret();
  const failure = await world.get("alice/secret", "1").catch((error: unknown) => error);
  await world.get("alice/secret", "1", loggedIn);
  const metrics = await world.metrics.registry.metrics();
  await world.stop();
  const rows = await readFile(world.store.layout.database, "latin1");
  for (const text of [rows, metrics, String(failure), JSON.stringify(failure)]) {
    expect(text).not.toMatch(/hunter2|fake-token|Bearer|Z3JhbmFyeTpodW50ZXIy/);
  }
});
