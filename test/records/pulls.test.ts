/** Pulls: what a person would call one is one, whoever else pulls at the same time, and however the client asks. */

import { describe, expect, test } from "vitest";
import type { RequestEnd } from "../../src/records/request-record.ts";
import { DOCKER, imageOf, indexOf, recordsWorld } from "../support/records-world.ts";

const amd64 = imageOf("alpine amd64", [10, 200, 300]);
const arm64 = imageOf("alpine arm64", [10, 250, 350]);
const index = indexOf({ "linux/amd64": amd64, "linux/arm64": arm64 });

describe("one pull", () => {
  test("of Docker: an index, the manifest of its platform, and the blobs that followed", async () => {
    const world = await recordsWorld();
    world.head(index, "3");
    world.manifest(index, "digest");
    world.manifest(arm64, "digest");
    for (const [at, blob] of arm64.blobs.entries()) world.blob(blob, [10, 250, 350][at] ?? 0);
    const [pull, ...others] = world.pulls();
    expect(others).toEqual([]);
    const served = 610 + index.bytes.length + arm64.bytes.length;
    expect(pull).toMatchObject({
      ...{ upstream: "docker.io", repository: "library/alpine", tag: "3", digest: index.digest },
      ...{ platform: "linux/arm64", client: "192.0.2.1", agent: "docker", state: "done", reason: null },
      ...{ served, size: 610, blobs: 3, hits: 5, misses: 0, isRepeated: 0 },
    });
  });

  test("ends when all its blobs were served, and is told once as begun and once as ended", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    expect(world.pulls()).toMatchObject([{ state: "running", endedAt: null }]);
    for (const [at, blob] of amd64.blobs.entries()) world.blob(blob, [10, 200, 300][at] ?? 0);
    expect(world.pulls()).toMatchObject([{ state: "done" }]);
    await world.clock.advance(10_000);
    const told = world.records.events.since(0).filter(({ kind }) => kind.startsWith("pull-"));
    expect(told.map(({ kind }) => kind)).toEqual(["pull-begun", "pull-ended"]);
    expect(told[1]?.text).toBe(
      `docker pulled docker.io/library/alpine:3: ${510 + amd64.bytes.length} B in 0ms, all of it from here`,
    );
    expect(told[1]?.facts).toMatchObject({ client: "192.0.2.1", tag: "3" });
  });

  test("ends when nothing came for a while: the client had some of it already", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    world.blob(amd64.blobs[1] ?? amd64.digest, 200);
    await world.clock.advance(50_000);
    expect(world.pulls()).toMatchObject([{ state: "running" }]);
    await world.clock.advance(20_000);
    expect(world.pulls()).toMatchObject([{ state: "done", blobs: 1, size: 510, reason: null }]);
  });

  test("goes on while a slow client still reads, however long that takes", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    const slow = world.begin(amd64.blobs[2] ?? amd64.digest);
    await world.clock.advance(3_600_000);
    expect(world.pulls()).toMatchObject([{ state: "running" }]);
    slow.sent(300);
    slow.end({ from: "upstream", isWhole: true, failure: undefined });
    await world.clock.advance(120_000);
    expect(world.pulls()).toMatchObject([{ state: "done", misses: 1, tookMs: 3_600_000 }]);
  });

  test("of Ollama, with its probe and sixteen ranges by another name, is one", async () => {
    const world = await recordsWorld();
    const ollama = {
      repository: "library/llama3.2",
      upstream: "registry.ollama.ai",
      userAgent: "ollama/0.9 (amd64 linux)",
    };
    const model = imageOf("llama", [100, 1_600]);
    const weights = model.blobs[1] ?? model.digest;
    world.manifest(model, { tag: "1b" }, ollama);
    world.blob(weights, 64, ollama, { isWhole: false });
    const parts = { ...ollama, userAgent: "Go-http-client/1.1" };
    const ranges = Array.from({ length: 16 }, () => world.begin(weights, parts));
    for (const range of ranges) {
      range.sent(100);
      range.end({ from: "upstream", isWhole: true, failure: undefined });
    }
    // A small blob is whole with the answer to its probe already.
    world.blob(model.blobs[0] ?? model.digest, 100, ollama);
    world.blob(model.blobs[0] ?? model.digest, 100, parts);
    expect(world.pulls()).toMatchObject([
      { tag: "1b", agent: "ollama", state: "done", blobs: 2, size: 1_700, isRepeated: 0 },
    ]);
  });

  test("counts a blob once as hit or miss, in however many parts it is asked for, and anew when all of it is asked for again", async () => {
    const world = await recordsWorld();
    const model = imageOf("model", [10, 1_600]);
    const [, blob = model.digest] = model.blobs;
    world.manifest(model, { tag: "1" });
    const parts = (from: RequestEnd["from"]) => {
      for (let part = 0; part < 16; part++) world.blob(blob, 100, {}, { from });
    };
    parts("upstream");
    expect(world.pulls()).toMatchObject([{ hits: 1, misses: 1, served: 1_600 + model.bytes.length }]);
    // The rest of them may find it stored.
    world.blob(blob, 0);
    parts("stored");
    expect(world.pulls()).toMatchObject([{ hits: 2, misses: 1, isRepeated: 1 }]);
    expect(world.records.traffic.totals().all).toMatchObject({ hits: 2, misses: 1 });
  });

  test("of all platforms is one, though the first of them is whole long before the last is asked for", async () => {
    const world = await recordsWorld();
    world.manifest(index, { tag: "3" });
    for (const image of [amd64, arm64]) {
      world.manifest(image, "digest");
      for (const blob of image.blobs) world.blob(blob, 350);
      await world.clock.advance(1_000);
    }
    expect(world.pulls()).toHaveLength(1);
  });
});

describe("what is not one pull", () => {
  test("a look at a tag leaves nothing", async () => {
    const world = await recordsWorld();
    world.head(index, "3");
    await world.clock.advance(120_000);
    expect(world.pulls()).toEqual([]);
    expect(world.records.traffic.totals().all.pulls).toBe(0);
  });

  test("two machines behind one address that name themselves differently are two", async () => {
    const world = await recordsWorld();
    const other = { userAgent: DOCKER.replace("6.8.0", "5.15.0") };
    for (const client of [{}, other]) world.manifest(amd64, { tag: "3" }, client);
    for (const client of [{}, other]) for (const blob of amd64.blobs) world.blob(blob, 300, client);
    expect(world.pulls()).toMatchObject([
      { state: "done", blobs: 3 },
      { state: "done", blobs: 3 },
    ]);
  });

  test("two machines behind one address that name themselves the same are one, which says that bytes were asked for twice", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    world.blob(amd64.blobs[2] ?? amd64.digest, 300);
    world.manifest(amd64, { tag: "3" });
    world.blob(amd64.blobs[2] ?? amd64.digest, 300);
    expect(world.pulls()).toMatchObject([{ isRepeated: 1 }]);
  });

  test("two tags of one repository that one client pulls at once are two", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    world.manifest(arm64, { tag: "edge" });
    for (const blob of [...amd64.blobs, ...arm64.blobs]) world.blob(blob, 350);
    expect(world.pulls()).toMatchObject([
      { tag: "edge", blobs: 3, state: "done" },
      { tag: "3", blobs: 3, state: "done" },
    ]);
  });

  test("the same pull an hour later is another one", async () => {
    const world = await recordsWorld();
    for (let time = 0; time < 2; time++) {
      world.manifest(amd64, { tag: "3" });
      await world.clock.advance(3_600_000);
    }
    expect(world.pulls()).toHaveLength(2);
  });
});

describe("a pull that fails", () => {
  test("says why, by the words of what failed", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    const failed = { from: "nowhere", isWhole: false, failure: "docker.io is away" } as const;
    world.blob(amd64.blobs[1] ?? amd64.digest, 0, {}, failed);
    await world.clock.advance(120_000);
    expect(world.pulls()).toMatchObject([{ state: "failed", reason: "docker.io is away" }]);
    expect(world.records.events.since(0).at(-1)).toMatchObject({
      kind: "pull-failed",
      text: "docker could not pull docker.io/library/alpine:3: docker.io is away",
    });
  });

  test("and then works is no failure", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    const failed = { from: "nowhere", isWhole: false, failure: "docker.io is away" } as const;
    world.blob(amd64.blobs[1] ?? amd64.digest, 0, {}, failed);
    for (const blob of amd64.blobs) world.blob(blob, 300);
    expect(world.pulls()).toMatchObject([{ state: "done", reason: null }]);
  });

  test("because the client left says so", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    world.blob(amd64.blobs[2] ?? amd64.digest, 100, {}, { isWhole: false });
    await world.clock.advance(120_000);
    expect(world.pulls()).toMatchObject([
      { state: "failed", reason: "the client left before it had all that it asked for" },
    ]);
  });

  test("of a name that does not exist is kept, but not a thousand of them", async () => {
    const world = await recordsWorld();
    world.manifest(amd64, { tag: "3" });
    for (let name = 0; name < 1_500; name++) world.missing(`nobody/invented-${name}`);
    await world.clock.advance(120_000);
    const failed = world.pulls().filter(({ state }) => state === "failed");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.length).toBeLessThanOrEqual(20);
    expect(failed[0]).toMatchObject({ reason: "no such repository", tag: "1" });
    // The one that anybody would want to see is still there.
    expect(world.pulls().some(({ tag, state }) => tag === "3" && state === "done")).toBe(true);
  });
});

test("pulls are there after a restart; one that a kill ended says so", async () => {
  const world = await recordsWorld();
  world.manifest(amd64, { tag: "3" });
  for (const blob of amd64.blobs) world.blob(blob, 300);
  await world.clock.advance(10_000);
  world.manifest(arm64, { tag: "edge" }, { client: "192.0.2.2" });
  await world.clock.advance(6_000);
  await world.restart("killed");
  await world.clock.advance(6_000);
  expect(world.pulls()).toMatchObject([
    { id: 2, tag: "edge", client: "192.0.2.2", state: "failed", reason: "Granary ended before it was over" },
    { id: 1, tag: "3", client: "192.0.2.1", state: "done" },
  ]);
  world.manifest(amd64, { tag: "3" });
  expect(world.pulls().map(({ id }) => id)).toEqual([3, 2, 1]);
  expect(world.records.pulls.find({ before: 3, limit: 1 }).map(({ id }) => id)).toEqual([2]);
});

test("the kind of a user agent is one of a closed list, whatever a client calls itself", async () => {
  const world = await recordsWorld();
  const names = [
    "podman/5.4.0",
    "skopeo/1.18",
    "containerd/2.0.1",
    "buildkit/v0.19",
    "x".repeat(10_000),
    undefined,
  ];
  for (const [at, userAgent] of names.entries()) {
    const record = world.records.open({
      ...{ client: `192.0.2.${at}`, userAgent, upstream: "docker.io", repository: "library/alpine" },
      ...{ kind: "blob", isHead: false, reference: { digest: amd64.digest } },
    });
    record.sent(1);
    record.end({ from: "stored", isWhole: true, failure: undefined });
  }
  const kinds = world.pulls().map(({ agent }) => agent);
  expect(kinds.reverse()).toEqual(["podman", "skopeo", "containerd", "buildkit", "other", "other"]);
});

test("pulls are found by a part of the name, the client or its address, before and after they are written", async () => {
  const world = await recordsWorld();
  world.manifest(amd64, { tag: "3.20" });
  world.manifest(
    arm64,
    { tag: "7" },
    { repository: "library/redis", client: "192.0.2.9", userAgent: "skopeo/1.18" },
  );
  const found = (search: string) =>
    world.records.pulls
      .find({ before: Number.MAX_SAFE_INTEGER, limit: 10, search })
      .map(({ repository }) => repository);
  const check = () => {
    expect(found("alpine:3")).toEqual(["library/alpine"]);
    expect(found("docker.io/library/r")).toEqual(["library/redis"]);
    expect(found("192.0.2.9")).toEqual(["library/redis"]);
    expect(found("skopeo")).toEqual(["library/redis"]);
    expect(found("192.0.2.")).toEqual(["library/redis", "library/alpine"]);
    expect(found("mysql")).toEqual([]);
  };
  check();
  await world.clock.advance(300_000);
  check();
  await world.restart();
  check();
});

test("where addresses are not kept, nobody finds a pull by one", async () => {
  const world = await recordsWorld();
  world.manifest(amd64, { tag: "3.20" });
  await world.clock.advance(300_000);
  await world.restart("stopped", { keepMs: 86_400_000, clientsMs: 0 });
  const find = (search: string) =>
    world.records.pulls.find({ before: Number.MAX_SAFE_INTEGER, limit: 10, search });
  expect(find("192.0.2.1")).toEqual([]);
  expect(find("alpine")).toHaveLength(1);
});
