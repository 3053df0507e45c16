/** Shows what a stored tag costs, when it is asked for again, and what is served when it cannot be. */
import { describe, expect, it } from "vitest";
import { DOCKER_MANIFEST, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { MiB, type MirrorWorld, startWorld } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
import { startFake } from "../support/start-upstream.ts";
import { until } from "../support/wire.ts";

const LIFETIME_MS = 600_000;
/** For an upstream that gives no answer. One that does is given the time that a busy machine needs. */
const impatient = { upstream: { policy: { offlineDeadlineMs: 3_000 } } };
const WARNING = /^stale: fake\.test could not be asked/;

/** A world in which `a/b:1` was pulled, long enough ago to be asked for again, and nothing was asked since. */
async function worldWithOldTag(options: Parameters<typeof startWorld>[0] = {}) {
  const world = await startWorld(options);
  const image = world.fake.addImage("a/b", "1", { layers: [100] });
  await world.get("a/b", "1");
  world.clock.aheadMs += LIFETIME_MS;
  world.fake.forgetRequests();
  return { world, image };
}

function methods(world: MirrorWorld): string[] {
  return world.fake.matching({ kind: "manifest" }).map(({ method }) => method);
}

it("what only a HEAD has asked for so far is a miss for the GET after it, and then a hit", async () => {
  const world = await startWorld();
  const { manifestDigest } = world.fake.addImage("a/b", "1", { layers: [100] });
  expect(await world.head("a/b", "1")).toMatchObject({ outcome: "miss" });
  expect(await world.get("a/b", "1")).toMatchObject({ outcome: "miss" });
  expect(await world.get("a/b", "1")).toMatchObject({ outcome: "hit" });
  expect(await world.get("a/b", manifestDigest)).toMatchObject({ outcome: "hit" });
});

describe("a stored tag", () => {
  it("costs nothing upstream within its lifetime: two HEADs and a GET", async () => {
    const { world } = await worldWithOldTag();
    world.clock.aheadMs -= 1_000;
    for (let pass = 0; pass < 2; pass++) expect((await world.head("a/b", "1")).outcome).toBe("hit");
    expect(await world.get("a/b", "1")).toMatchObject({ outcome: "hit", warning: undefined });
    expect(world.fake.count()).toBe(0);
  });

  it("costs one HEAD and no GET after its lifetime when it has not moved", async () => {
    const { world, image } = await worldWithOldTag();
    const answers = await Promise.all(Array.from({ length: 10 }, () => world.get("a/b", "1")));
    expect(answers.every(({ outcome }) => outcome === "revalidated")).toBe(true);
    expect(await world.get("a/b", "1")).toMatchObject({
      outcome: "hit",
      manifest: { digest: image.manifestDigest },
    });
    expect(methods(world)).toEqual(["HEAD"]);
  });

  it("costs one HEAD and no GET also where the upstream calls every manifest text/plain", async () => {
    const { world, image } = await worldWithOldTag({ mode: "ollama" });
    expect(await world.head("a/b", "1")).toMatchObject({
      outcome: "revalidated",
      digest: image.manifestDigest,
      mediaType: DOCKER_MANIFEST,
    });
    expect(methods(world)).toEqual(["HEAD"]);
  });

  it("that moved is served new after its lifetime; the old one is still there by digest", async () => {
    const { world, image } = await worldWithOldTag();
    const moved = world.fake.addImage("a/b", "1", { layers: [200], seed: 7 });
    const answers = await Promise.all(Array.from({ length: 10 }, () => world.get("a/b", "1")));
    expect(new Set(answers.map(({ manifest }) => manifest.digest))).toEqual(new Set([moved.manifestDigest]));
    expect(methods(world)).toEqual(["HEAD", "GET"]);
    expect((await world.get("a/b", image.manifestDigest)).outcome).toBe("hit");
  });

  it("that only HEADs asked for costs no GET when it moves", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [100] });
    await world.head("a/b", "1");
    const moved = world.fake.addImage("a/b", "1", { layers: [200], seed: 7 });
    world.clock.aheadMs += LIFETIME_MS;
    expect(await world.head("a/b", "1")).toMatchObject({ digest: moved.manifestDigest, outcome: "miss" });
    expect(world.fake.count({ method: "GET" })).toBe(0);
  });

  it("that was deleted upstream is served once more, with a warning; the second 404 is believed", async () => {
    const { world, image } = await worldWithOldTag();
    world.fake.deleteTag("a/b", "1");
    for (let pass = 0; pass < 3; pass++) {
      const answer = await world.get("a/b", "1");
      expect(answer).toMatchObject({ outcome: "stale", manifest: { digest: image.manifestDigest } });
      expect(answer.warning).toMatch(/says that this tag is not there/);
    }
    // One try is one try, however many clients ask: not a HEAD for each.
    expect(methods(world)).toEqual(["HEAD", "GET"]);
    world.clock.aheadMs += 10_000;
    await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.get("a/b", image.manifestDigest)).outcome).toBe("hit");
    world.fake.moveTag("a/b", "1", image.manifestDigest);
    world.clock.aheadMs += 5_001;
    expect((await world.get("a/b", "1")).outcome).toBe("miss");
  });

  it.each([0, 3_600_000])(
    "that was deleted is gone within a minute, and never at once (negativeLifetime %d)",
    async (negativeLifetimeMs) => {
      const { world } = await worldWithOldTag({ upstream: { policy: { negativeLifetimeMs } } });
      world.fake.deleteTag("a/b", "1");
      for (let pass = 0; pass < 3; pass++) expect((await world.get("a/b", "1")).outcome).toBe("stale");
      world.clock.aheadMs += 60_001;
      await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "not-found" });
    },
  );

  it("that is not there for a moment is kept, and a later 404 counts as the first one again", async () => {
    const { world, image } = await worldWithOldTag();
    const gone = { kind: "status", status: 404 } as const;
    for (let pass = 0; pass < 3; pass++) {
      world.fake.fail(/manifests/, gone, { times: 2 });
      expect((await world.get("a/b", "1")).outcome).toBe("stale");
      world.clock.aheadMs += 10_001;
      expect((await world.get("a/b", "1")).manifest.digest).toBe(image.manifestDigest);
      world.clock.aheadMs += LIFETIME_MS;
    }
  });

  it("whose HEAD is 404 where a GET finds it is there", async () => {
    const { world, image } = await worldWithOldTag();
    world.fake.fail(/manifests/, { kind: "status", status: 404 }, { method: "HEAD", times: 100 });
    for (let pass = 0; pass < 3; pass++) {
      const answer = await world.get("a/b", "1");
      expect(answer).toMatchObject({ outcome: "revalidated", manifest: { digest: image.manifestDigest } });
      world.clock.aheadMs += LIFETIME_MS;
    }
  });

  it("survives a restart with its age", async () => {
    const { world } = await worldWithOldTag();
    world.clock.aheadMs -= 60_000;
    await world.restart();
    const answer = await world.get("a/b", "1");
    expect(answer.outcome).toBe("hit");
    expect(answer.ageMs).toBeGreaterThanOrEqual(LIFETIME_MS - 60_000);
    expect(world.fake.count()).toBe(0);
  });
});

describe("an upstream in trouble", () => {
  it.each([
    ["answers 500", { kind: "status", status: 500 }, {}],
    ["answers 503", { kind: "status", status: 503 }, {}],
    ["answers 429", { kind: "rate-limited" }, {}],
    ["answers 403", { kind: "status", status: 403 }, {}],
    ["answers 401", { kind: "status", status: 401 }, {}],
    ["resets connections", { kind: "reset" }, {}],
    ["sends no headers", { kind: "hang" }, impatient],
  ] as const)("%s: the stored tag is served, with a warning", async (_name, fault, options) => {
    const { world, image } = await worldWithOldTag(options);
    world.fake.fail(/manifests/, fault, { times: 100 });
    const { manifest, outcome, warning } = await world.get("a/b", "1");
    expect(manifest.digest).toBe(image.manifestDigest);
    expect(outcome).toBe("stale");
    expect(warning).toMatch(WARNING);
    expect(await world.head("a/b", "1")).toMatchObject({ outcome: "stale", warning });
  });

  it("nothing stored: it is said to be down, never to be absent", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [100] });
    await world.fake.pause();
    await expect(world.get("a/b", "1")).rejects.toMatchObject({ code: "upstream-unavailable" });
    await world.fake.resume();
    world.fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "30" });
    world.clock.aheadMs += 60_000;
    await expect(world.get("a/b", "1")).rejects.toMatchObject({
      code: "rate-limited",
      facts: { retryAfterMs: 30_000 },
    });
  });

  it("a tag that moved, whose new manifest is refused (429): the old one is served, with a warning", async () => {
    const { world, image } = await worldWithOldTag();
    const moved = world.fake.addImage("a/b", "1", { layers: [200], seed: 7 });
    world.fake.fail(/manifests/, { kind: "rate-limited", retryAfter: "60" }, { method: "GET" });
    const answer = await world.get("a/b", "1");
    expect(answer).toMatchObject({ outcome: "stale", manifest: { digest: image.manifestDigest } });
    expect(answer.warning).toMatch(/429/);
    expect(methods(world)).toEqual(["HEAD", "GET"]);
    world.clock.aheadMs += 61_000;
    expect((await world.get("a/b", "1")).manifest.digest).toBe(moved.manifestDigest);
  });

  it("a tag that moved, whose new manifest is not there yet (404): the old one is served, with a warning", async () => {
    const { world, image } = await worldWithOldTag();
    const moved = world.fake.addImage("a/b", "1", { layers: [200], seed: 7 });
    world.fake.fail(new RegExp(moved.manifestDigest), { kind: "status", status: 404 }, { times: 2 });
    for (let pass = 0; pass < 2; pass++) {
      const answer = await world.get("a/b", "1");
      expect(answer).toMatchObject({ outcome: "stale", manifest: { digest: image.manifestDigest } });
      expect(answer.warning).toMatch(/its new manifest is not there yet/);
      expect(await world.head("a/b", "1")).toMatchObject({ outcome: "stale", digest: image.manifestDigest });
    }
    for (let pass = 0; pass < 2; pass++) {
      world.clock.aheadMs += 10_001;
      await world.get("a/b", "1");
    }
    expect((await world.get("a/b", "1")).manifest.digest).toBe(moved.manifestDigest);
  });

  it("a tag that only HEADs asked for, whose manifest is not there yet: the tag itself is asked for", async () => {
    const world = await startWorld();
    const image = world.fake.addImage("a/b", "1", { layers: [100] });
    await world.head("a/b", "1");
    world.fake.fail(new RegExp(image.manifestDigest), { kind: "status", status: 404 }, { times: 100 });
    expect((await world.get("a/b", "1")).manifest.digest).toBe(image.manifestDigest);
  });

  it("refuses us for a while (401, 403): the stored tag is kept, over a restart too, and asked for with a new token", async () => {
    const { world, image } = await worldWithOldTag({ mode: "hub" });
    for (const status of [401, 403, 401, 401]) {
      world.fake.fail(/manifests/, { kind: "status", status }, { times: 100 });
      expect((await world.get("a/b", "1")).outcome).toBe("stale");
      world.fake.faults.length = 0;
      world.clock.aheadMs += 60_000;
      if (status === 403) await world.restart();
    }
    expect((await world.get("a/b", "1")).manifest.digest).toBe(image.manifestDigest);
    expect(await world.get("a/b", "1")).toMatchObject({ warning: undefined });
  });

  it("hides a repository that we have tags of (401 to every token): they are served with a warning, not forgotten", async () => {
    const { world } = await worldWithOldTag({ mode: "hub" });
    world.fake.settings.privateRepositories.add("a/b");
    world.fake.revokeTokens();
    for (let pass = 0; pass < 3; pass++) {
      expect(await world.get("a/b", "1")).toMatchObject({
        outcome: "stale",
        warning: expect.stringMatching(WARNING),
      });
      world.clock.aheadMs += 60_000;
    }
  });

  it("says 404 at one endpoint while another fails: that is no word on the tag", async () => {
    const [lagging, origin] = [await startFake({ mode: "plain" }), await startFake({ mode: "plain" })];
    const world = await startWorld({ upstream: { endpoints: [lagging.url, origin.url] } });
    const image = origin.addImage("a/b", "1", { layers: [100] });
    expect((await world.get("a/b", "1")).outcome).toBe("miss");
    origin.fail(/manifests/, { kind: "status", status: 500 }, { times: 1000 });
    for (let pass = 0; pass < 4; pass++) {
      world.clock.aheadMs += LIFETIME_MS;
      expect(await world.get("a/b", "1")).toMatchObject({
        outcome: "stale",
        manifest: { digest: image.manifestDigest },
        warning: expect.stringMatching(WARNING),
      });
    }
  });

  it.each(["tag", "digest"])("a HEAD that finds nothing does not answer a GET by %s", async (by) => {
    const world = await startWorld();
    const image = world.fake.addImage("a/b", "1", { layers: [100] });
    const reference = by === "tag" ? "1" : image.manifestDigest;
    world.fake.fail(/manifests/, { kind: "status", status: 404 }, { method: "HEAD", times: 100 });
    for (let pass = 0; pass < 2; pass++) {
      await expect(world.head("a/b", reference)).rejects.toMatchObject({ code: "not-found" });
    }
    expect(world.fake.count({ method: "HEAD" })).toBe(1);
    expect((await world.get("a/b", reference)).manifest.digest).toBe(image.manifestDigest);
  });

  it("a tag that moved to a manifest with wrong bytes: the old one is served, nothing wrong is kept", async () => {
    const { world, image } = await worldWithOldTag();
    const moved = world.fake.addImage("a/b", "1", { layers: [200], seed: 7 });
    world.fake.fail(/manifests/, { kind: "flip", offset: 9 }, { method: "GET" });
    expect((await world.get("a/b", "1")).manifest.digest).toBe(image.manifestDigest);
    expect(await world.metadata.manifest(moved.manifestDigest)).toBeUndefined();
  });

  it("is slow: the stored tag comes at the deadline, and at once for who asks next", async () => {
    const { world } = await worldWithOldTag(impatient);
    world.fake.fail(/manifests/, { kind: "hang" }, { times: 100 });
    world.clock.holdsTimers = true;
    const first = world.get("a/b", "1");
    await until(() => world.fake.count({ kind: "manifest" }) === 1);
    world.clock.fireTimers();
    expect((await first).warning).toMatch(/no answer within 3s/);
    world.clock.aheadMs += 3_000;
    // No timer fires any more: who asks next waits for none.
    expect((await world.get("a/b", "1")).outcome).toBe("stale");
    expect(world.fake.count({ kind: "manifest" })).toBe(1);
  });

  it("answers at last: who waits no longer does not keep the answer from being used", async () => {
    const { world } = await worldWithOldTag(impatient);
    const moved = world.fake.addImage("a/b", "1", { layers: [200], seed: 7 });
    world.fake.fail(/manifests/, { kind: "delay", ms: 600 });
    expect((await world.get("a/b", "1")).outcome).toBe("stale");
    await eventually(async () =>
      expect((await world.get("a/b", "1")).manifest.digest).toBe(moved.manifestDigest),
    );
    expect(methods(world)).toEqual(["HEAD", "GET"]);
  });

  it("is dead: the next request does not wait to find out again", async () => {
    const { world } = await worldWithOldTag();
    world.fake.addImage("a/other", "1", { layers: [10] });
    await world.fake.pause();
    expect((await world.get("a/b", "1")).outcome).toBe("stale");
    const asked = await world.metric("upstream_requests_total");
    world.clock.holdsTimers = true;
    expect((await world.get("a/b", "1")).outcome).toBe("stale");
    await expect(world.get("a/other", "1")).rejects.toMatchObject({ code: "upstream-unavailable" });
    expect(await world.metric("upstream_requests_total"), "nothing was sent, and no timer waited for").toBe(
      asked,
    );
    world.clock.holdsTimers = false;
    // It is looked at again and again meanwhile, and is "probing" for that moment.
    await eventually(async () =>
      expect((await world.mirror.status()).upstreams[0]).toMatchObject({ circuit: "open" }),
    );
    expect(await world.metric("upstream_circuit_open")).toBe(1);
  });

  it("limits us: nothing is asked until the window is over, for any manifest; the stored ones are served", async () => {
    const { world } = await worldWithOldTag({ settings: { retryAfter: "120" } });
    world.fake.addImage("a/other", "1", { layers: [10] });
    world.fake.settings.rateLimit = { limit: 0, windowSeconds: 21_600 };
    expect((await world.get("a/b", "1")).outcome).toBe("stale");
    // A HEAD's limit says nothing of GETs: that is found out once.
    await expect(world.get("a/other", "1")).rejects.toMatchObject({ code: "rate-limited" });
    const asked = world.fake.count();
    for (let pass = 0; pass < 6; pass++) {
      expect((await world.get("a/b", "1")).outcome).toBe("stale");
      await expect(world.get("a/other", "1")).rejects.toMatchObject({ code: "rate-limited" });
    }
    expect(world.fake.count()).toBe(asked);
    world.fake.settings.rateLimit = undefined;
    world.clock.aheadMs += 120_001;
    expect((await world.get("a/b", "1")).outcome).toBe("revalidated");
  });

  it("starts and serves what it has with every upstream down", async () => {
    const { world, image } = await worldWithOldTag();
    const [layer = image.configDigest] = image.layerDigests;
    await world.read("a/b", layer);
    await world.read("a/b", image.configDigest);
    await world.restart(() => world.fake.pause());
    expect((await world.get("a/b", "1")).outcome).toBe("stale");
    expect((await world.get("a/b", image.manifestDigest)).outcome).toBe("hit");
    expect(await world.read("a/b", layer)).toHaveLength(100);
    expect(await world.stat("a/b", layer)).toMatchObject({ size: 100, outcome: "hit" });
  });
});

describe("a pull budget", () => {
  it("is exported, and below a tenth of it tags live six times as long", async () => {
    const world = await startWorld({ settings: { rateLimit: { limit: 100, windowSeconds: 21_600 } } });
    world.fake.addImage("a/b", "1", { layers: [100] });
    await world.get("a/b", "1");
    expect(await world.metric("upstream_ratelimit_remaining")).toBe(99);
    world.clock.aheadMs += LIFETIME_MS;
    expect((await world.get("a/b", "1")).outcome).toBe("revalidated");
    world.fake.settings.rateLimit = { limit: 100, windowSeconds: 21_600 };
    for (let pull = 0; pull < 91; pull++) {
      world.fake.addImage("a/b", `t${pull}`, { layers: [], seed: pull });
      await world.get("a/b", `t${pull}`);
    }
    expect((await world.mirror.status()).upstreams[0]?.rateLimit).toMatchObject({ remaining: 8 });
    world.clock.aheadMs += 5 * LIFETIME_MS;
    expect((await world.get("a/b", "1")).outcome).toBe("hit");
    world.clock.aheadMs += LIFETIME_MS;
    expect((await world.get("a/b", "1")).outcome).toBe("revalidated");
  });
});

describe("clients of an upstream that answers by User-Agent", () => {
  const outdated = { unlessUserAgent: /^ollama\/0\.(1\d|2\d)/, text: "This model needs a newer version." };

  it("an old one hears the 412 with its text, which is not kept", async () => {
    const world = await startWorld({
      mode: "ollama",
      settings: { outdated },
      upstream: { forwardUserAgent: true },
    });
    world.fake.addImage("library/model", "7b", { layers: [100] });
    const old = { userAgent: "ollama/0.3.0 (amd64 linux)" };
    const recent = { userAgent: "ollama/0.15.0 (amd64 linux)" };
    for (let pass = 0; pass < 2; pass++) {
      await expect(world.get("library/model", "7b", old)).rejects.toMatchObject({
        code: "client-outdated",
        facts: { upstreamText: outdated.text },
      });
    }
    expect(world.fake.count({ status: 412 })).toBe(2);
    expect((await world.get("library/model", "7b", recent)).outcome).toBe("miss");
    world.clock.aheadMs += LIFETIME_MS;
    const both = await Promise.allSettled([
      world.get("library/model", "7b", old),
      world.get("library/model", "7b", recent),
    ]);
    expect(both.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
    expect((await world.get("library/model", "7b", recent)).outcome).toBe("hit");
  });
});

describe("signatures", () => {
  it.each([".sig", ".att", ".sbom", ""])(
    "a tag sha256-…%s that grew upstream is seen within the short lifetime, not the long one",
    async (suffix) => {
      const world = await startWorld({ upstream: { policy: { negativeLifetimeMs: 5_000 } } });
      const tag = `sha256-${"a".repeat(64)}${suffix}`;
      await expect(world.get("a/b", tag)).rejects.toMatchObject({ code: "not-found" });
      world.fake.addImage("a/b", tag, { layers: [10], format: "oci" });
      world.clock.aheadMs += 5_001;
      expect((await world.get("a/b", tag)).manifest.mediaType).toBe(OCI_MANIFEST);
      const grown = world.fake.addImage("a/b", tag, { layers: [10, 20], format: "oci" });
      world.clock.aheadMs += 5_001;
      expect((await world.get("a/b", tag)).manifest.digest).toBe(grown.manifestDigest);
    },
  );
});

it("blobs of a manifest that was just served are the warmest", async () => {
  const world = await startWorld({ budget: { maxSize: 3 * MiB, minFree: 0 } });
  const one = world.fake.addImage("a/one", "1", { layers: [MiB], seed: 1 });
  const two = world.fake.addImage("a/two", "1", { layers: [MiB], seed: 2 });
  for (const [repository, { layerDigests }] of [
    ["a/one", one],
    ["a/two", two],
  ] as const) {
    await world.get(repository, "1");
    for (const layer of layerDigests) await world.read(repository, layer);
    await world.fills(0);
    world.clock.aheadMs += 10_000;
  }
  await world.get("a/one", "1");
  world.clock.aheadMs += 1_000;
  const big = world.fake.addGeneratedBlob({ seed: 50, size: 1.5 * MiB });
  await world.read("a/three", big);
  expect((await world.stat("a/one", one.layerDigests[0] ?? "")).outcome).toBe("hit");
  expect((await world.stat("a/two", two.layerDigests[0] ?? "")).outcome).toBe("miss");
});
