/** Shows the image verbs that ask and print: the value alone on standard output, or one JSON value. */
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { hostPlatform } from "../../src/client/images/host-platform.ts";
import { formatPlatform } from "../../src/oci/platform.ts";
import { placeImage, placeIndex } from "../support/fake-images.ts";
import { patternBytes } from "../support/pattern.ts";
import { verbWorld } from "./verb-world.ts";

const HOST = formatPlatform(hostPlatform());
const OTHER = "linux/s390x";

/** An index at `org/app:1` with one image for this machine and one for another. */
async function setUp() {
  const { fake, run, directory } = await verbWorld();
  const layers = [3000, 500].map((size, seed) => gzipSync(patternBytes(seed, 0, size)));
  const own = placeImage(fake, "org/app", undefined, {
    platform: HOST,
    layers,
    config: { config: { Cmd: ["/app"] } },
  });
  const other = placeImage(fake, "org/app", undefined, { platform: OTHER, layers: layers.slice(1) });
  const index = placeIndex(fake, "org/app", "1", [
    { ...own, platform: HOST },
    { ...other, platform: OTHER },
  ]);
  const [first = 0, second = 0] = layers.map(({ length }) => length);
  const image = `${fake.host}/org/app:1`;
  return { fake, run, directory, image, own, other, index, compressed: first + second, second };
}

describe("image digest", () => {
  test("prints the index's alone, and the platform's with --platform", async () => {
    const { run, image, index, other } = await setUp();
    expect(await run(["image", "digest", image])).toEqual({ code: 0, out: `${index.digest}\n`, err: "" });
    const chosen = await run(["image", "digest", image, "--platform", OTHER]);
    expect(chosen).toEqual({ code: 0, out: `${other.digest}\n`, err: "" });
  });

  test("says in JSON which of the two it is", async () => {
    const { run, image, index, other } = await setUp();
    const named = await run(["image", "digest", image, "--json"]);
    expect(JSON.parse(named.out)).toEqual({ digest: index.digest, kind: "index" });
    const chosen = await run(["image", "digest", image, "--platform", OTHER, "--json"]);
    expect(JSON.parse(chosen.out)).toEqual({ digest: other.digest, kind: "image", platform: OTHER });
  });
});

describe("image size", () => {
  test("prints the compressed number alone", async () => {
    const { fake, run, image, compressed, second } = await setUp();
    expect(await run(["image", "size", image])).toEqual({ code: 0, out: `${compressed}\n`, err: "" });
    expect(await run(["image", "size", image, "--platform", OTHER])).toMatchObject({ out: `${second}\n` });
    expect(fake.matching({ kind: "blob" })).toHaveLength(2); // The two configs, and no layer.
  });

  test("has both numbers in JSON, the unpacked one only when it was counted", async () => {
    const { run, image, compressed, own } = await setUp();
    const plain = await run(["image", "size", image, "--json"]);
    expect(JSON.parse(plain.out)).toEqual({ digest: own.digest, platform: HOST, compressed });
    const counted = await run(["image", "size", image, "--json", "--uncompressed"]);
    expect(JSON.parse(counted.out)).toEqual({
      digest: own.digest,
      platform: HOST,
      compressed,
      uncompressed: 3500,
    });
    expect(await run(["image", "size", image, "--uncompressed", "-q"])).toEqual({
      code: 0,
      out: "3500\n",
      err: "",
    });
  });
});

describe("image inspect", () => {
  test("prints the same value over several lines, and on one with --json", async () => {
    const { run, image, own } = await setUp();
    const people = await run(["image", "inspect", image]);
    const scripts = await run(["image", "inspect", image, "--json"]);
    expect(people.out.split("\n").length).toBeGreaterThan(10);
    expect(scripts.out.trim().split("\n")).toHaveLength(1);
    expect(JSON.parse(people.out)).toEqual(JSON.parse(scripts.out));
    expect(JSON.parse(scripts.out)).toMatchObject({
      digest: own.digest,
      platform: HOST,
      config: { Cmd: ["/app"] },
    });
  });
});

describe("what goes wrong", () => {
  test.each([
    ["an absent tag is 3", "org/app:2", [], 3, "org/app:2"],
    [
      "a platform that there is not is 3, and the others are named",
      "org/app:1",
      ["--platform", "linux/mips"],
      3,
      OTHER,
    ],
    ["a platform that is none is 2", "org/app:1", ["--platform", "linux"], 2, "os/architecture"],
    [
      "a reference that is none is 2, before anything is asked",
      "!!!invalid-ref!!!",
      [],
      2,
      "!!!invalid-ref!!!",
    ],
  ])("%s", async (_, name, more, code, part) => {
    const { fake, run } = await setUp();
    const ended = await run(["image", "size", `${fake.host}/${name}`, ...more]);
    expect(ended).toMatchObject({ code, out: "" });
    expect(ended.err).toContain(part);
    expect(ended.err.trim().split("\n")).toHaveLength(1);
    if (code === 2) expect(fake.requests).toHaveLength(0);
  });

  test("an archive that is not there is 2, as any path that cannot be used", async () => {
    const { run, directory } = await setUp();
    const ended = await run(["image", "digest", `ocifile:${join(directory, "none.tar")}`]);
    expect(ended).toMatchObject({ code: 2, out: "", err: expect.stringContaining("none.tar") });
  });
});
