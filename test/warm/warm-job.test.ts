/** Shows warm-ups: what is asked for comes in whole, once, and is there for clients when the upstream is gone; what fails is a line. */
import { describe, expect, onTestFinished, test } from "vitest";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { WARM_JOB } from "../../src/warm/warm-job.ts";
import { previewWarm } from "../../src/warm/warm-preview.ts";
import type { WarmResult } from "../../src/warm/warm-result.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { placeImage, placeIndex } from "../support/fake-images.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../support/mirror-world.ts";
import { addModel, modelOf } from "../support/models.ts";
import { eventually } from "../support/patience.ts";
import { startFake } from "../support/start-upstream.ts";
import { upstreamOf } from "../support/upstream-of.ts";
import { MemoryRows, openWarm, UPSTREAMS, warmed } from "./warm-world.ts";

const OLLAMA = "registry.ollama.ai";

/** How often a manifest was fetched. */
function askedFor({ fake }: MirrorWorld, digest: string): number {
  return fake.matching({ method: "GET" }).filter(({ path }) => path.includes(`manifests/${digest}`)).length;
}

/** An image for three platforms, with an attestation about the first. */
function placeApp(fake: Parameters<typeof placeIndex>[0], tag = "1") {
  const child = (platform: string) => ({
    ...placeImage(fake, "org/app", undefined, {
      platform,
      layers: [Buffer.from(`layer ${platform} ${tag}`)],
    }),
    platform,
  });
  const images = [child("linux/amd64"), child("linux/arm64"), child("linux/s390x")];
  const attestation = {
    ...placeImage(fake, "org/app", undefined, { layers: [Buffer.from(`an attestation ${tag}`)] }),
    platform: "unknown/unknown",
    annotations: {
      "vnd.docker.reference.type": "attestation-manifest",
      "vnd.docker.reference.digest": String(images[0]?.digest),
    },
  };
  const index = placeIndex(fake, "org/app", tag, [...images, attestation]);
  const layerOf = (platform: string) => digestOf(Buffer.from(`layer ${platform} ${tag}`));
  const [amd64, arm64, s390x] = images.map(({ digest }) => digest);
  return {
    index,
    amd64: amd64 ?? "",
    arm64: arm64 ?? "",
    s390x: s390x ?? "",
    attestation: attestation.digest,
    layerOf,
  };
}

describe("a warm-up", () => {
  test("of an index for two platforms and a model is all that clients need when both registries are gone", async () => {
    const ollama = await startFake({ mode: "ollama" });
    const model = addModel(ollama, "library/llama", "1b", {
      layers: [modelOf(3, 5 * MiB), ["template", "{{ . }}"]],
    });
    const world = await startWorld({ others: [upstreamOf(ollama, { name: OLLAMA, names: "ollama" })] });
    const app = placeApp(world.fake);
    const jobs = await openWarm(world);
    const { lines, counts, bytes } = await warmed(jobs, [`${UPSTREAM}/org/app:1`, "ollama:llama:1b"], {
      platforms: ["linux/amd64", "arm64".padStart(11, "linux/")],
    });
    expect(lines).toMatchObject([
      { reference: `${UPSTREAM}/org/app:1`, outcome: "brought", digest: app.index.digest },
      { reference: `${OLLAMA}/library/llama:1b`, outcome: "brought", digest: model.digest },
    ]);
    expect(counts).toEqual({ here: 0, brought: 2, failed: 0 });
    expect(bytes.brought).toBeGreaterThan(5 * MiB);

    await world.fake.pause();
    await ollama.pause();
    expect((await world.get("org/app", "1")).manifest.digest).toBe(app.index.digest);
    for (const [digest, platform] of [
      [app.amd64, "linux/amd64"],
      [app.arm64, "linux/arm64"],
    ] as const) {
      await world.get("org/app", digest);
      expect((await world.read("org/app", app.layerOf(platform))).toString()).toBe(`layer ${platform} 1`);
    }
    await expect(world.get("org/app", app.s390x)).rejects.toMatchObject({ code: "upstream-unavailable" });
    await world.get("library/llama", "1b", { upstream: OLLAMA });
    for (const digest of [...model.layers, model.config])
      await world.read("library/llama", digest, undefined, { upstream: OLLAMA });
  });

  test("of all platforms leaves out attestations unless they are asked for", async () => {
    const world = await startWorld();
    const app = placeApp(world.fake);
    const jobs = await openWarm(world);
    await warmed(jobs, [`${UPSTREAM}/org/app:1`]);
    expect(askedFor(world, app.s390x)).toBe(1);
    expect(askedFor(world, app.attestation)).toBe(0);
    await warmed(jobs, [`${UPSTREAM}/org/app:1`], { platforms: ["linux/amd64"], attestations: true });
    expect(askedFor(world, app.attestation)).toBe(1);
  });

  test("a second time finds all of it here and asks for nothing", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [2 * MiB, 100] });
    const jobs = await openWarm(world);
    await warmed(jobs, [`${UPSTREAM}/a/b:1`]);
    await world.fills(0);
    world.fake.forgetRequests();
    const { lines, bytes } = await warmed(jobs, [`${UPSTREAM}/a/b:1`]);
    expect(lines).toMatchObject([{ outcome: "here", brought: 0 }]);
    expect(bytes.here).toBeGreaterThan(2 * MiB);
    expect(world.fake.count()).toBe(0);
  });

  test("of tags by a pattern brings in each that matches, page after page", async () => {
    const world = await startWorld({ settings: { tagsPerPage: 2 } });
    for (const tag of ["3.1", "3.20", "3.21", "3.22", "edge"])
      world.fake.addImage("a/b", tag, { layers: [tag.length] });
    const jobs = await openWarm(world);
    const { lines } = await warmed(jobs, [`${UPSTREAM}/a/b:3.2*`]);
    expect(lines.map(({ reference }) => reference)).toEqual(
      ["3.20", "3.21", "3.22"].map((tag) => `${UPSTREAM}/a/b:${tag}`),
    );
  });

  test("of what does not exist is a line that failed, and the others come in all the same", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [10] });
    const jobs = await openWarm(world);
    const { lines, counts } = await warmed(jobs, [
      `${UPSTREAM}/a/nothing:1`,
      `${UPSTREAM}/a/b:2.*`,
      `${UPSTREAM}/a/b@${digestOf(Buffer.from("nothing"))}`,
      `${UPSTREAM}/a/b:1`,
    ]);
    expect(counts).toEqual({ here: 0, brought: 1, failed: 3 });
    expect(lines.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ["failed", expect.stringMatching(/a\/nothing/)],
      ["failed", `No tag of ${UPSTREAM}/a/b matches 2.*: it has, among others, 1.`],
      ["failed", expect.stringMatching(/a\/b/)],
      ["brought", undefined],
    ]);
  });

  test("says which platform an image is not there for, and fails where it has none of them", async () => {
    const world = await startWorld();
    placeApp(world.fake);
    const jobs = await openWarm(world);
    const some = await warmed(jobs, [`${UPSTREAM}/org/app:1`], {
      platforms: ["linux/amd64", "linux/riscv64"],
    });
    const lacks = "is not there for linux/riscv64 (it is for linux/amd64, linux/arm64, linux/s390x).";
    expect(some.lines).toMatchObject([{ outcome: "brought", reason: `It ${lacks}` }]);
    const none = await warmed(jobs, [`${UPSTREAM}/org/app:1`], { platforms: ["linux/riscv64"] });
    expect(none.lines).toMatchObject([{ outcome: "failed", reason: `${UPSTREAM}/org/app:1 ${lacks}` }]);
  });

  test("of something private says so, and strangers do not get it", async () => {
    const users = { me: "secret" };
    const settings = { auth: "bearer", users, privateRepositories: new Set(["a/private"]) } as const;
    const credentials = { username: "me", password: "secret" };
    const world = await startWorld({ mode: "hub", settings, upstream: { credentials } });
    world.fake.addImage("a/private", "1", { layers: [10] });
    world.fake.addImage("a/public", "1", { layers: [11] });
    const jobs = await openWarm(world);
    const { lines } = await warmed(jobs, [`${UPSTREAM}/a/private:1`, `${UPSTREAM}/a/public:1`]);
    expect(lines).toMatchObject([{ outcome: "brought", isPrivate: true }, { outcome: "brought" }]);
    expect(lines[1]).not.toHaveProperty("isPrivate");
    await world.fake.pause();
    await expect(world.get("a/private", "1")).rejects.toThrow();
    await world.get("a/public", "1");
  });

  test("larger than the cache pushes out nothing, and says so", async () => {
    const budget = { maxSize: 6 * MiB, minFree: 0 };
    const world = await startWorld({ budget });
    for (const [place, tag] of ["1", "2", "3"].entries())
      world.fake.addImage("a/b", tag, { layers: [2 * MiB], seed: 10 * (place + 1) });
    const { layerDigests } = world.fake.addImage("a/large", "1", { layers: [5 * MiB], seed: 77 });
    const jobs = await openWarm(world);
    const { lines } = await warmed(jobs, [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/b:2`, `${UPSTREAM}/a/large:1`]);
    expect(lines.find(({ reference }) => reference.includes("large"))).toMatchObject({
      outcome: "failed",
      reason: /larger than the whole cache may be/,
    });
    expect(world.fake.bytesSentFor(layerDigests[0] ?? "")).toBe(0);
  });
});

test("a dry run tells the bytes that then cross, also of what has come in part", async () => {
  const world = await startWorld({ upstream: { policy: { lingerMs: 0 } } });
  const image = world.fake.addImage("a/b", "1", { layers: [2 * MiB, 9 * MiB] });
  const other = world.fake.addImage("a/c", "1", { layers: [3 * MiB], seed: 5 });
  const begun = image.layerDigests[1] ?? "";
  await world.get("a/b", "1");
  await world.read("a/b", begun, { start: 0, end: MiB });
  await world.fills(0);
  const digests = [image, other].flatMap((each) => [each.configDigest, ...each.layerDigests]);
  const crossed = () => digests.reduce((sum, digest) => sum + world.fake.bytesSentFor(digest), 0);
  const references = [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/c:1`];
  const preview = async () => {
    const parts = {
      ...{ mirror: world.mirror, clock: world.clock, upstreams: () => UPSTREAMS },
      isHere: async (digest: Digest) => (await world.metadata.blob(digest)) !== undefined,
      partials: () => world.store.spool.list(),
    };
    const ask = { references, platforms: [], attestations: false };
    return (await previewWarm(parts, ask, new AbortController().signal)).bytes;
  };
  const before = crossed();
  const { toFetch, here } = await preview();
  expect(here).toBeGreaterThanOrEqual(MiB);
  await warmed(await openWarm(world), references);
  await world.fills(0);
  expect(crossed() - before).toBe(toFetch);
  expect(await preview()).toEqual({ toFetch: 0, here: toFetch + here });
});

describe("a warm-up that is stopped", () => {
  test("in the middle of a blob goes on after a restart, and no byte crosses twice", async () => {
    const world = await startWorld({ settings: { bandwidth: { registry: 4 * MiB, cdn: 4 * MiB } } });
    const first = world.fake.addImage("a/b", "1", { layers: [MiB] });
    const second = world.fake.addImage("a/b", "2", { layers: [24 * MiB], seed: 50 });
    const rows = new MemoryRows();
    const jobs = await openWarm(world, rows);
    const { id } = jobs.start(WARM_JOB, { references: [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/b:2`] }, "warm");
    const layer = second.layerDigests[0] ?? "";
    await eventually(() => expect(jobs.get(id).progress.bytes.done).toBeGreaterThan(3 * MiB));
    await jobs.close(10_000);
    await world.restart();
    world.fake.settings.bandwidth = { registry: undefined, cdn: undefined };
    const again = await openWarm(world, rows);
    const { state, result } = await again.ended(id);
    expect(state).toBe("done");
    expect((result as WarmResult).lines).toMatchObject([
      { reference: `${UPSTREAM}/a/b:1`, outcome: "brought" },
      { reference: `${UPSTREAM}/a/b:2`, outcome: "brought" },
    ]);
    expect(world.fake.bytesSentFor(first.layerDigests[0] ?? "")).toBe(MiB);
    // What connections lost that were cut in their middle crosses again (F6).
    expect(world.fake.bytesSentFor(layer)).toBeLessThan(24 * MiB + 8 * MiB);
    await world.fake.pause();
    expect(await world.read("a/b", layer)).toHaveLength(24 * MiB);
  });

  test("by somebody tells what it has done", async () => {
    const world = await startWorld({ settings: { bandwidth: { registry: MiB, cdn: MiB } } });
    world.fake.addImage("a/b", "1", { layers: [10] });
    world.fake.addImage("a/b", "2", { layers: [64 * MiB], seed: 50 });
    const jobs = await openWarm(world);
    const { id } = jobs.start(WARM_JOB, { references: [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/b:2`] }, "warm");
    await eventually(() => expect(jobs.get(id).progress.things.done).toBe(1));
    jobs.stop(id);
    expect(await jobs.ended(id)).toMatchObject({
      state: "stopped",
      result: { lines: [{ reference: `${UPSTREAM}/a/b:1` }] },
    });
  });
});

describe("a registry that counts pulls", () => {
  test("keeps the last tenth for clients: the warm-up waits, says so, and goes on when there are more", async () => {
    const rateLimit = { limit: 10, windowSeconds: 21_600 };
    const world = await startWorld({ mode: "hub", settings: { rateLimit, auth: "none" } });
    for (const tag of ["1", "2"])
      world.fake.addImage("a/b", tag, { layers: [Number(tag)], seed: Number(tag) });
    for (let place = 0; place < 8; place++) {
      world.fake.addImage("a/other", String(place), { layers: [5], seed: 100 + place });
      await world.get("a/other", String(place));
    }
    const clock = new FakeClock();
    const jobs = await openWarm(world, new MemoryRows(), clock);
    onTestFinished(() => jobs.close(1_000));
    const { id } = jobs.start(WARM_JOB, { references: [`${UPSTREAM}/a/b:1`, `${UPSTREAM}/a/b:2`] }, "warm");
    await eventually(() => expect(jobs.get(id).notes.join("\n")).toMatch(/1 of 10 pulls are left/));
    expect(jobs.get(id).progress.things.done).toBe(1);
    world.fake.settings.rateLimit = { limit: 100, windowSeconds: 21_600 };
    await eventually(async () => {
      await clock.advance(60_000);
      expect(jobs.get(id).state).toBe("done");
    });
    expect(jobs.get(id).result).toMatchObject({ counts: { brought: 2 } });
  });

  test("and limits us is waited for as long as it says", async () => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [10] });
    world.fake.fail(
      /manifests/,
      { kind: "status", status: 429, headers: { "retry-after": "3600" } },
      { times: 1 },
    );
    const clock = new FakeClock();
    const jobs = await openWarm(world, new MemoryRows(), clock);
    onTestFinished(() => jobs.close(1_000));
    const { id } = jobs.start(WARM_JOB, { references: [`${UPSTREAM}/a/b:1`] }, "warm");
    await eventually(() => expect(jobs.get(id).notes.join("\n")).toMatch(/Going on in \d+ min/));
    world.clock.aheadMs += 3_700_000;
    await clock.advance(3_700_000);
    await eventually(() => expect(jobs.get(id).state).toBe("done"));
    expect(jobs.get(id).result).toMatchObject({ counts: { brought: 1 } });
  });
});

describe("a warm-up is refused", () => {
  test.each([
    [[], "Name at least one image or model."],
    [["ghcr.io/org/app"], 'no upstream "ghcr.io" is configured'],
    [[`${UPSTREAM}/org/**`], "registries do not tell which repositories they have"],
    [["*:1.0"], "registries do not tell which repositories they have"],
    [[`${UPSTREAM}/a/b@sha256:12*`], "a digest has to be whole here"],
    [[`${UPSTREAM}/a/b:1`, "alpine:-x"], "cannot be a tag"],
  ])("of %j: %s", async (references, said) => {
    const jobs = await openWarm(await startWorld());
    expect(() => jobs.start(WARM_JOB, { references }, "warm")).toThrow(said);
    expect(jobs.list()).toEqual([]);
  });

  test("for a platform that is none, and beside one that brings in the same", async () => {
    const world = await startWorld({ settings: { bandwidth: { registry: MiB, cdn: MiB } } });
    world.fake.addImage("a/b", "1", { layers: [64 * MiB] });
    const jobs = await openWarm(world);
    onTestFinished(() => jobs.close(1_000));
    const ask = { references: [`${UPSTREAM}/a/b:1`] };
    expect(() => jobs.start(WARM_JOB, { ...ask, platforms: ["arm"] }, "warm")).toThrow("not a platform");
    const { id } = jobs.start(WARM_JOB, ask, "warm");
    expect(() => jobs.start(WARM_JOB, ask, "warm")).toThrow(`Job ${id} (warm) brings in the same`);
    await jobs.close(10_000);
  });
});
