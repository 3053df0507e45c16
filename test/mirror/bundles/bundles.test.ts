/** Shows what an export takes: which names, which platforms of an index, what it fetches, and that nothing of it is evicted meanwhile. */
import { chmod, open } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { unpackBundle } from "../../../src/bundle/bundle-tar.ts";
import type { GranaryError } from "../../../src/errors.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { placeImage, placeIndex } from "../../support/fake-images.ts";
import { type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { patternBytes } from "../../support/pattern.ts";

type Options = Partial<Parameters<MirrorWorld["mirror"]["bundles"]["prepare"]>[0]>;

async function prepared(world: MirrorWorld, patterns: readonly string[], options: Options = {}) {
  const choice = { platforms: { kind: "stored" }, attestations: false, fetch: true, ...options } as const;
  return await world.mirror.bundles.prepare({
    patterns: patterns.map((text) => `${UPSTREAM}/${text}`),
    ...choice,
  });
}

async function reported(world: MirrorWorld, patterns: readonly string[], options: Options = {}) {
  const { report, release } = await prepared(world, patterns, options);
  release();
  return report;
}

async function filesOf(
  world: MirrorWorld,
  patterns: readonly string[],
  options: Options = {},
): Promise<string[]> {
  const { chunks } = await prepared(world, patterns, options);
  const names: string[] = [];
  for await (const { name } of unpackBundle(chunks())) names.push(name);
  return names;
}

function placeMulti(world: MirrorWorld) {
  const { fake } = world;
  const one = (platform: string, seed: number) =>
    placeImage(fake, "team/app", undefined, { platform, layers: [patternBytes(seed, 0, 1_000)] });
  const [amd, arm] = [one("linux/amd64", 1), one("linux/arm64", 2)];
  const attested = placeImage(fake, "team/app", undefined, { layers: [patternBytes(3, 0, 10)] });
  const index = placeIndex(fake, "team/app", "1", [
    { ...amd, platform: "linux/amd64" },
    { ...arm, platform: "linux/arm64" },
    {
      ...{ ...attested, platform: "unknown/unknown" },
      annotations: {
        "vnd.docker.reference.type": "attestation-manifest",
        "vnd.docker.reference.digest": arm.digest,
      },
    },
  ]);
  return { amd, arm, attested, index };
}

const some = (...platforms: readonly string[]) =>
  ({ platforms: { kind: "some", platforms: platforms.map(parsePlatform) } }) as const;

describe("of an index", () => {
  it("it takes the platforms that are here, and this machine's where none is", async () => {
    const world = await startWorld();
    const { arm } = placeMulti(world);
    expect((await reported(world, ["team/app:1"])).names).toMatchObject([
      { platforms: ["linux/amd64"], absent: 2 },
    ]);
    const other = await startWorld();
    placeMulti(other);
    await other.get("team/app", arm.digest);
    expect((await reported(other, ["team/app:1"])).names).toMatchObject([{ platforms: ["linux/arm64"] }]);
  });

  it("it takes those that are named, with what is attested about them where that is wanted, or all", async () => {
    const world = await startWorld();
    const { arm, attested } = placeMulti(world);
    const places = await filesOf(world, ["team/app:1"], { ...some("linux/arm64"), attestations: true });
    for (const { digest } of [arm, attested]) expect(places).toContain(`blobs/sha256/${digest.slice(7)}`);
    const all = await reported(world, ["team/app:1"], { platforms: { kind: "all" } });
    expect(all.names).toMatchObject([{ platforms: ["linux/amd64", "linux/arm64"], absent: 1 }]);
  });

  it("it says what there is where none of the platforms is", async () => {
    const world = await startWorld();
    placeMulti(world);
    const failing = reported(world, ["team/app:1"], some("linux/s390x"));
    await expect(failing).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringContaining("linux/amd64"),
    });
  });
});

describe("of names", () => {
  it("a pattern takes what is stored, each thing once and sorted, and one that matches nothing is said", async () => {
    const world = await startWorld();
    for (const tag of ["3.2", "3.1", "4.0"])
      placeImage(world.fake, "team/app", tag, { layers: [patternBytes(1, 0, 9)] });
    for (const tag of ["3.2", "3.1", "4.0"]) await world.get("team/app", tag);
    const names = (await reported(world, ["team/app:3.*", "team/*:3.1"])).names.map(({ name }) => name);
    expect(names).toEqual([`${UPSTREAM}/team/app:3.1`, `${UPSTREAM}/team/app:3.2`]);
    await expect(reported(world, ["team/none:*"])).rejects.toMatchObject({ code: "not-found" });
  });

  it("what goes by a digest has no tag", async () => {
    const world = await startWorld();
    const { digest } = placeImage(world.fake, "team/app", "1", { layers: [patternBytes(1, 0, 9)] });
    const { names } = await reported(world, [`team/app@${digest}`]);
    expect(names).toMatchObject([{ name: `${UPSTREAM}/team/app@${digest}` }]);
  });
});

describe("what is not here", () => {
  it("is counted, and fetched while the bundle is written", async () => {
    const world = await startWorld();
    placeImage(world.fake, "team/app", "1", { layers: [patternBytes(1, 0, 300_000)] });
    const before = await reported(world, ["team/app:1"]);
    expect(before.toFetch).toBeGreaterThan(300_000);
    await filesOf(world, ["team/app:1"]);
    await world.fills(0);
    expect(await reported(world, ["team/app:1"], { fetch: false })).toMatchObject({
      toFetch: 0,
      size: before.size,
    });
  });

  it("is an error where nothing is to be fetched, or cannot be", async () => {
    const world = await startWorld();
    placeImage(world.fake, "team/app", "1", { layers: [patternBytes(1, 0, 3_000)] });
    await expect(reported(world, ["team/app:1"], { fetch: false })).rejects.toMatchObject({
      code: "not-found",
    });
    expect(world.fake.count()).toBe(0);
    await world.get("team/app", "1");
    const failing = reported(world, ["team/app:1"], { fetch: false });
    const error = await failing.then(
      () => undefined,
      (thrown: GranaryError) => thrown,
    );
    expect(error?.message).toMatch(/is not wholly here: the blob sha256:.* is missing/);
  });
});

it("a blob that is damaged on the disk ends the bundle before it looks whole, and the next one has it anew", async () => {
  const world = await startWorld();
  const layer = patternBytes(1, 0, 9_000_000);
  placeImage(world.fake, "team/app", "1", { layers: [layer] });
  const written = async () => {
    const { chunks } = await prepared(world, ["team/app:1"]);
    const parts: Uint8Array[] = [];
    for await (const chunk of chunks()) parts.push(chunk);
    return Buffer.concat(parts);
  };
  await written();
  await world.fills(0);
  const path = world.store.layout.blob(digestOf(layer));
  await chmod(path, 0o600);
  const file = await open(path, "r+");
  await file.write(Buffer.from("wrong"), 0, 5, 4_000_000);
  await file.close();
  await expect(written()).rejects.toMatchObject({ code: "digest-mismatch" });
  expect((await written()).includes(layer)).toBe(true);
});

it("what is prepared and not written lets go of what it held", async () => {
  const world = await startWorld();
  placeImage(world.fake, "team/app", "1", { layers: [patternBytes(1, 0, 3_000)] });
  const { release } = await prepared(world, ["team/app:1"]);
  expect((await world.mirror.status()).pins).toBeGreaterThan(0);
  release();
  release();
  expect((await world.mirror.status()).pins).toBe(0);
});
