/** Shows who may be served what: storage is shared, permission never is. */
import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import type { FakeSettings, RequestRecord } from "../../support/fake-registry.ts";
import { MiB, startWorld } from "../../support/mirror-world.ts";
import { PROMPT_MS } from "../../support/patience.ts";
import { startFake } from "../../support/start-upstream.ts";
import { upstreamOf } from "../../support/upstream-of.ts";

const credentials = { username: "granary", password: "hunter2" };
const loggedIn = { loggedIn: true };
const HOUR_MS = 3_600_000;

/** A registry that Granary logs in to, with a public and a private repository. */
async function worldWithSecret(
  privateContent: "refuse" | "share" = "refuse",
  offlineDeadlineMs = 20_000,
  headersMs = 20_000,
) {
  const world = await startWorld({
    mode: "hub",
    settings: { users: { granary: "hunter2" }, privateRepositories: new Set(["alice/secret"]) },
    upstream: { credentials, policy: { privateContent, offlineDeadlineMs, headersMs } },
  });
  const open = world.fake.addImage("library/alpine", "3", { layers: [100] });
  const secret = world.fake.addImage("alice/secret", "1", { layers: [200], seed: 7 });
  return { world, open, secret };
}

describe("a digest, through a repository that was not seen to contain it", () => {
  it("is asked for there before it is served, once, and not transferred again", async () => {
    const world = await startWorld();
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 1000 }, "a/one");
    world.fake.contents.repository("a/two");
    await world.read("a/one", digest);
    await expect(world.read("a/two", digest)).rejects.toMatchObject({ code: "not-found" });
    await expect(world.stat("a/two", digest)).rejects.toMatchObject({ code: "not-found" });
    world.fake.addGeneratedBlob({ seed: 1, size: 1000 }, "a/two");
    world.clock.aheadMs += 60_000;
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
});

it("two upstreams with one blob share its file, and each is asked whether it has it", async () => {
  const other = await startFake({ mode: "plain" });
  const world = await startWorld({ others: [upstreamOf(other, { name: "other.test" })] });
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: 1000 });
  await world.read("a/b", digest);
  // Only what is verified and kept is shared.
  await world.fills(0);
  const there = { upstream: "other.test" };
  await expect(world.read("a/b", digest, undefined, there)).rejects.toMatchObject({ code: "not-found" });
  other.addGeneratedBlob({ seed: 1, size: 1000 });
  world.clock.aheadMs += 60_000;
  expect(await world.read("a/b", digest, undefined, there)).toHaveLength(1000);
  expect(other.count({ method: "GET" })).toBe(0);
  await world.fills(0);
  expect((await world.mirror.status()).blobs).toBe(1);
});

it("an upstream that is not configured is not asked for anything", async () => {
  const world = await startWorld();
  const there = { upstream: "evil.test" };
  await expect(world.get("a/b", "1", there)).rejects.toMatchObject({ code: "route-unknown" });
  expect(world.fake.count()).toBe(0);
});

describe("content that only our credentials can read", () => {
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
      await expect(world.get("alice/secret", "1"), pass).rejects.toMatchObject({ code: "not-found" });
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
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
    await world.get("alice/secret", "1", loggedIn);
    await world.restart(() => world.fake.pause());
    world.clock.aheadMs += 2 * HOUR_MS;
    expect((await world.get("library/alpine", "3")).outcome).toBe("stale");
    await world.read("library/alpine", open.configDigest);
    // As of any other repository of which nothing can be told now.
    for (const repository of ["alice/secret", "alice/none"])
      await expect(world.get(repository, "1")).rejects.toMatchObject({ code: "upstream-unavailable" });
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
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
    world.fake.settings.privateRepositories.delete("alice/secret");
    world.clock.aheadMs += 60_001;
    await world.get("alice/secret", "1");
    world.fake.settings.privateRepositories.add("alice/secret");
    // Tokens of the fake know what could be read when they were issued.
    world.fake.revokeTokens();
    world.clock.aheadMs += HOUR_MS + 1;
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
  });

  it("is probed for once by many, without credentials", async () => {
    const { world, open } = await worldWithSecret();
    await Promise.all(Array.from({ length: 10 }, () => world.get("library/alpine", "3")));
    await world.read("library/alpine", open.configDigest);
    const manifests = world.fake.matching({ kind: "manifest", status: 200 });
    expect(manifests.map(({ method }) => method).sort()).toEqual(["GET", "HEAD"]);
  });
});

describe("an absent tag says nothing about who may read the repository", () => {
  it("a public repository stays readable after somebody asked for a tag that it has not", async () => {
    const { world } = await worldWithSecret();
    await expect(world.get("library/alpine", "none")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.get("library/alpine", "3")).outcome).toBe("miss");
    await expect(world.get("library/alpine", "none")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.get("library/alpine", "3")).outcome).toBe("hit");
  });

  it("a repository that does not exist yet is not taken for public when it is made private", async () => {
    const { world } = await worldWithSecret();
    await expect(world.get("alice/later", "1")).rejects.toMatchObject({ code: "not-found" });
    world.fake.settings.anonymousLimits.add("manifest");
    await expect(world.get("alice/later", "2")).rejects.toMatchObject({ code: "not-found" });
    world.fake.settings.anonymousLimits.clear();
    world.fake.settings.privateRepositories.add("alice/later");
    world.fake.addImage("alice/later", "3", { layers: [10] });
    world.fake.revokeTokens();
    world.clock.aheadMs += 301_000;
    await expect(world.get("alice/later", "3")).rejects.toMatchObject({ code: "not-found" });
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
    const { world, open } = await worldWithSecret("refuse", 3_000, 600_000);
    await world.get("library/alpine", "3");
    await world.read("library/alpine", open.configDigest);
    world.clock.aheadMs += HOUR_MS + 1;
    world.fake.fail(/manifests/, { kind: "hang" }, { times: 100 });
    const begunAt = performance.now();
    await world.read("library/alpine", open.configDigest);
    expect(performance.now() - begunAt).toBeLessThan(PROMPT_MS);
  });
});

describe("whether a repository is public cannot be asked, because the shared address may ask nothing more (429)", () => {
  /** Nobody may ask for manifests without a login; `more` tells what else is as it may be at a registry. */
  async function limitedWorld(more: Partial<FakeSettings> = {}, asks: readonly Kind[] = ["manifest"]) {
    const made = await worldWithSecret();
    Object.assign(made.world.fake.settings, { anonymousLimits: new Set(asks), retryAfter: "90", ...more });
    return made;
  }
  type Kind = RequestRecord["kind"];

  it.each<[string, Partial<FakeSettings>]>([
    ["the anonymous token says so, as at Docker Hub", {}],
    ["the tags may be listed, where tokens say nothing", { tokenForm: "opaque" }],
  ])("new public repositories are served all the same: %s", async (_, settings) => {
    const { world, open } = await limitedWorld(settings);
    const [layer = ""] = open.layerDigests;
    expect((await world.get("library/alpine", "3")).manifest.digest).toBe(open.manifestDigest);
    expect(await world.read("library/alpine", layer)).toHaveLength(100);
    for (let seed = 10; seed < 15; seed++) {
      world.fake.addImage(`library/new${seed}`, "1", { layers: [10], seed });
      expect((await world.get(`library/new${seed}`, "1")).outcome).toBe("miss");
    }
  });

  it.each<[string, Partial<FakeSettings>, readonly Kind[]]>([
    ["the token says so", {}, ["manifest"]],
    ["the token says so, and nothing else may be asked", {}, ["manifest", "blob", "tags"]],
    ["the token is refused, as at ghcr.io", { tokenForm: "opaque", refusesTokens: true }, ["manifest"]],
  ])("private ones are still refused: %s", async (_, settings, asks) => {
    const { world, secret } = await limitedWorld(settings, asks);
    await world.get("alice/secret", "1", loggedIn);
    const attempts = await Promise.allSettled([
      world.get("alice/secret", "1"),
      world.head("alice/secret", secret.manifestDigest),
      world.open("alice/secret", secret.layerDigests[0] ?? ""),
      world.referrers("alice/secret", secret.manifestDigest),
    ]);
    for (const attempt of attempts) expect(attempt).toMatchObject({ reason: { code: "not-found" } });
    await expect(world.tags("alice/secret")).rejects.toMatchObject({
      code: "not-found",
    });
  });

  it("a registry that hangs on those who did not log in keeps nobody from what is public", async () => {
    const { world, open } = await worldWithSecret("refuse", 3_000, 600_000);
    // The first question of all has no token yet: it is how the token server is found.
    await world.get("library/alpine", "3", loggedIn);
    const used = new Set(world.fake.requests.map(({ headers }) => headers.authorization));
    const anonymously = ({ headers }: RequestRecord) => !used.has(headers.authorization);
    world.fake.fail(anonymously, { kind: "hang" }, { origin: "registry", times: 100 });
    await world.read("library/alpine", open.configDigest);
    expect(world.fake.requests.some(({ finished }) => !finished)).toBe(true);
  });

  it("where nothing tells, nothing is served, and the sentence says why and what to do", async () => {
    const { world } = await limitedWorld({ tokenForm: "opaque" }, ["manifest", "blob", "tags"]);
    for (const [repository, tag] of [
      ["library/alpine", "3"],
      ["library/alpine", "latest"],
    ] as const) {
      const failure = await world.get(repository, tag).catch((e) => e);
      expect(failure).toMatchObject({ code: "rate-limited", facts: { retryAfterMs: expect.any(Number) } });
      expect(failure.message).toMatch(/cannot be told now whether .* may be read without a login/);
      expect(failure.message).toMatch(/log in to Granary/);
    }
    // A registry that refuses before it counts has told, whatever else is limited.
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
    // And no verdict was made of a limit.
    world.fake.settings.anonymousLimits.clear();
    world.clock.aheadMs += 90_001;
    expect((await world.get("library/alpine", "3")).outcome).toBe("miss");
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
  });

  it("what was public before stays so, and what was private too, without a probe for each request", async () => {
    const { world, open } = await limitedWorld({ tokenForm: "opaque" }, []);
    await world.get("library/alpine", "3");
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
    world.fake.settings.anonymousLimits = new Set(["manifest", "blob", "tags", "token"]);
    world.clock.aheadMs += HOUR_MS + 1;
    world.fake.forgetRequests();
    for (let pass = 0; pass < 5; pass++) {
      await world.read("library/alpine", open.configDigest);
      // As of any other repository of which nothing can be told now.
      for (const repository of ["alice/secret", "alice/none"])
        await expect(world.get(repository, "1")).rejects.toMatchObject({ code: "rate-limited" });
    }
    expect(world.fake.count({ status: 429, repository: "library/alpine" })).toBeLessThanOrEqual(6);
  });
});

describe.each([500, 502, 503])("a registry that answers %d to those who did not log in", (status) => {
  const anonymously = ({ headers }: RequestRecord) => !isLogin(headers.authorization);
  const logins = new Set<string>();
  const isLogin = (authorization = "") => logins.has(authorization);

  it("is no reason to call a repository private, nor to serve what may be", async () => {
    const { world } = await worldWithSecret();
    await world.get("alice/secret", "1", loggedIn);
    await world.get("library/alpine", "3", loggedIn);
    for (const { headers } of world.fake.matching({ status: 200, kind: "manifest" })) {
      logins.add(String(headers.authorization));
    }
    world.fake.fail(
      (request) =>
        request.origin === "registry" && anonymously(request) && request.headers.authorization !== undefined,
      { kind: "status", status },
      { times: 100 },
    );
    expect((await world.get("library/alpine", "3")).outcome).toBe("hit");
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
  });
});

it("a registry that refuses what its own token grants (401 in an incident) makes nothing private", async () => {
  const { world } = await worldWithSecret();
  await world.get("library/alpine", "3");
  world.clock.aheadMs += HOUR_MS + 1;
  world.fake.fail(
    /library.alpine.manifests/,
    { kind: "status", status: 401 },
    { method: "HEAD", times: 100 },
  );
  expect((await world.get("library/alpine", "3")).outcome).toBe("stale");
  world.fake.faults.length = 0;
  world.clock.aheadMs += 10_001;
  expect((await world.get("library/alpine", "3")).outcome).toBe("revalidated");
});

it("a registry whose tokens say nothing refuses all who did not log in for a moment: nothing becomes private", async () => {
  const { world } = await worldWithSecret();
  world.fake.settings.tokenForm = "opaque";
  await world.get("library/alpine", "3");
  for (let hour = 0; hour < 3; hour++) {
    world.clock.aheadMs += HOUR_MS + 1;
    world.fake.settings.privateRepositories.add("library/alpine");
    world.fake.revokeTokens();
    for (let pass = 0; pass < 2; pass++)
      expect((await world.get("library/alpine", "3")).manifest).toBeDefined();
    world.fake.settings.privateRepositories.delete("library/alpine");
    world.fake.revokeTokens();
    world.clock.aheadMs += 10_001;
    expect((await world.get("library/alpine", "3")).manifest).toBeDefined();
  }
});

it("a registry whose tokens say nothing is believed that a repository became private at the second refusal", async () => {
  const { world } = await worldWithSecret();
  world.fake.settings.tokenForm = "opaque";
  await world.get("library/alpine", "3");
  world.fake.settings.privateRepositories.add("library/alpine");
  world.fake.revokeTokens();
  world.clock.aheadMs += HOUR_MS + 1;
  expect((await world.get("library/alpine", "3")).manifest).toBeDefined();
  world.clock.aheadMs += 10_001;
  await expect(world.get("library/alpine", "3")).rejects.toMatchObject({ code: "not-found" });
});

describe("a new public repository without a tag latest", () => {
  it.each(["jwt", "opaque"] as const)(
    "serves blobs, lists and referrers before anything of it is stored (%s tokens)",
    async (tokenForm) => {
      const { world, open } = await worldWithSecret();
      world.fake.settings.tokenForm = tokenForm;
      expect(await world.read("library/alpine", open.configDigest)).not.toHaveLength(0);
      await world.restart();
      expect((await world.tags("library/alpine")).body).toContain('"3"');
      expect((await world.referrers("library/alpine", open.manifestDigest)).outcome).toBe("miss");
    },
  );

  it("a blob that is not there is absent, and the repository no less public", async () => {
    const { world, secret, open } = await worldWithSecret();
    const absent = secret.configDigest;
    await expect(world.read("library/alpine", absent)).rejects.toMatchObject({ code: "not-found" });
    expect(await world.read("library/alpine", open.configDigest)).not.toHaveLength(0);
  });
});

it("the tag of somebody else that a repository is probed with is in no error", async () => {
  const { world } = await worldWithSecret();
  world.fake.addImage("alice/secret", "v1-unreleased", { layers: [10] });
  await world.get("alice/secret", "v1-unreleased", loggedIn);
  world.fake.deleteTag("alice/secret", "v1-unreleased");
  const attempts = [world.tags("alice/secret"), world.get("alice/secret", "other")];
  for (const attempt of await Promise.allSettled(attempts)) {
    expect(attempt.status).toBe("rejected");
    expect(String(attempt.status === "rejected" && attempt.reason)).not.toContain("unreleased");
  }
});

describe("a verdict whose date lies in the future", () => {
  it("is asked for again: a repository that became private is not public for a year", async () => {
    const { world } = await worldWithSecret();
    world.clock.setByMs = 365 * 24 * HOUR_MS;
    await world.get("library/alpine", "3");
    world.clock.setByMs = 0;
    world.fake.settings.privateRepositories.add("library/alpine");
    world.fake.revokeTokens();
    await expect(world.get("library/alpine", "3")).rejects.toMatchObject({ code: "not-found" });
  });
});

it("no secret reaches the database, the metrics or an error", async () => {
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
