/** Shows the image verbs that read and write files: extract, create, and what the one makes read by the other. */
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { hostPlatform } from "../../src/client/images/host-platform.ts";
import { formatPlatform } from "../../src/oci/platform.ts";
import { placeImage } from "../support/fake-images.ts";
import { patternBytes } from "../support/pattern.ts";
import { addTarImage, tarOf } from "../support/tar-image.ts";
import { until } from "../support/wire.ts";
import { verbWorld } from "./verb-world.ts";

const MIB = 2 ** 20;
const AMD64 = ["--platform", "linux/amd64"];

describe("image extract", () => {
  async function setUp(big = 100) {
    const { fake, run, start, directory } = await verbWorld();
    const layers = [
      { "etc/one": "lower", big: patternBytes(4, 0, big) },
      { "etc/one": "upper", "etc/two": "two" },
    ];
    await addTarImage(fake, "org/app", "1", layers);
    const args = ["image", "extract", `${fake.host}/org/app:1`, "rootfs", ...AMD64];
    return { fake, run, start, root: join(directory, "rootfs"), directory, args };
  }

  test("puts the layers over each other, and standard output stays empty", async () => {
    const { run, root, directory, args } = await setUp();
    const ended = await run(args);
    expect(ended).toMatchObject({ code: 0, out: "" });
    expect(ended.err).toMatch(
      /^Fetched .*$\n(?:^Extracting .*$\n)?^Extracted .*$\n^rootfs is there, verified \(.*\)\.\n$/m,
    );
    expect(await readFile(join(root, "etc/one"), "utf8")).toBe("upper");
    expect((await readFile(join(root, "big"))).equals(patternBytes(4, 0, 100))).toBe(true);
    expect(await readdir(directory)).toEqual(["rootfs"]);
  });

  test("counts in JSON what it did", async () => {
    const { run, args } = await setUp();
    const { out, err } = await run([...args, "--json", "--quiet"]);
    expect(err).toBe("");
    expect(JSON.parse(out)).toEqual({
      directory: "rootfs",
      layers: 2,
      entries: 4,
      bytes: expect.any(Number),
      warnings: [],
    });
  });

  test("says when the image is not made for this machine", async () => {
    const { fake, run } = await setUp();
    placeImage(fake, "org/other", "1", { platform: "linux/s390x" });
    const ended = await run(["image", "extract", `${fake.host}/org/other:1`, "other", "-q"]);
    expect(ended).toMatchObject({ code: 0, out: "", err: expect.stringContaining("linux/s390x only") });
  });

  test("refuses a directory with something in it, unless --replace is given", async () => {
    const { run, root, args } = await setUp();
    await mkdir(root);
    await writeFile(join(root, "mine"), "");
    expect(await run(args)).toMatchObject({ code: 2, out: "" });
    expect(await readdir(root)).toEqual(["mine"]);
    expect(await run([...args, "--replace"])).toMatchObject({ code: 0 });
    expect((await readdir(root)).toSorted()).toEqual(["big", "etc"]);
  });

  test.each([
    ["--max-size", "1KiB", 1],
    ["--max-entries", "3", 1],
    ["--max-size", "little", 2],
    ["--max-entries", "-3", 2],
    ["--max-entries", "many", 2],
  ])("with %s %s writes nothing: exit code %i", async (option, value, code) => {
    const { run, root, args } = await setUp(2000);
    const ended = await run([...args, "--quiet", `${option}=${value}`]);
    expect(ended).toMatchObject({ code, out: "" });
    expect(ended.err.trim().split("\n")).toHaveLength(1);
    await expect(stat(root)).rejects.toThrow("ENOENT");
  });

  test("goes on after Ctrl-C from the layers that it has", async () => {
    const { fake, run, start, root, directory, args } = await setUp(24 * MIB);
    fake.settings.bandwidth.registry = 4 * MIB;
    const layer = fake.contents.manifestIn("org/app", "1");
    const listed = JSON.parse(Buffer.from(layer?.bytes ?? []).toString()) as {
      layers: { digest: string; size: number }[];
    };
    const [{ digest, size } = { digest: "", size: 0 }] = listed.layers;
    const { child, ended } = start(args);
    await until(() => fake.bytesSentFor(digest) > size / 2);
    child.kill("SIGINT");
    const stopped = await ended;
    expect(stopped.code).toBe(130);
    expect(stopped.err).toMatch(
      /granary: Stopped extracting 127\S+org\/app:1: .* are kept beside rootfs\.\n/,
    );
    expect(stopped.err).toContain(`\nTo go on from there: granary ${args.join(" ")}\n`);
    await expect(stat(root)).rejects.toThrow("ENOENT");
    fake.settings.bandwidth.registry = undefined;
    fake.forgetRequests();
    expect(await run([...args, "--quiet"])).toMatchObject({ code: 0 });
    expect(fake.bytesSentFor(digest)).toBeLessThan(size * 0.8);
    expect(await readdir(directory)).toEqual(["rootfs"]);
  });
});

describe("image create", () => {
  async function setUp() {
    const { run, directory } = await verbWorld();
    await writeFile(join(directory, "a.tar"), await tarOf({ "etc/one": "lower", "etc/keep": "kept" }));
    await writeFile(join(directory, "b.tar.gz"), gzipSync(await tarOf({ "etc/one": "upper" })));
    return { run, directory, args: ["image", "create", "a.tar", "b.tar.gz", "--name", "org/app:1"] };
  }

  test("prints the digest alone, and the other verbs read what it made", async () => {
    const { run, directory, args } = await setUp();
    const made = await run([...args, "--output", "app.tar"]);
    expect(made).toMatchObject({ code: 0, err: expect.stringContaining("docker.io/org/app:1") });
    expect(made.out).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    expect((await run(["image", "digest", "ocifile:app.tar"])).out).toBe(made.out);
    const { out } = await run(["image", "inspect", "ocifile:app.tar#org/app:1", "--json"]);
    expect(JSON.parse(out)).toMatchObject({ platform: formatPlatform(hostPlatform()) });
    expect(await run(["image", "extract", "ocifile:app.tar", "rootfs", "-q"])).toEqual({
      code: 0,
      out: "",
      err: "",
    });
    expect(await readFile(join(directory, "rootfs/etc/one"), "utf8")).toBe("upper");
    expect(await readFile(join(directory, "rootfs/etc/keep"), "utf8")).toBe("kept");
  });

  test("says in JSON what it made, for the platform that was asked for", async () => {
    const { run, args } = await setUp();
    const { out } = await run([...args, "--platform", "linux/arm/v7", "--output", "app.tar", "--json", "-q"]);
    expect(JSON.parse(out)).toMatchObject({
      reference: "docker.io/org/app:1",
      path: "app.tar",
      layers: [{}, {}],
    });
    const inspected = await run([
      "image",
      "inspect",
      "ocifile:app.tar",
      "--platform",
      "linux/arm/v7",
      "--json",
    ]);
    expect(JSON.parse(inspected.out)).toMatchObject({ platform: "linux/arm/v7" });
  });

  test.each([
    ["a platform without an architecture", ["--platform", "linux", "--output", "app.tar"], "os/architecture"],
    ["no output", [], "--output"],
    ["a tar that is not there", ["none.tar", "--output", "app.tar"], "none.tar"],
  ])("with %s is 2, and writes nothing", async (_, more, part) => {
    const { run, directory, args } = await setUp();
    const ended = await run([...args, ...more]);
    expect(ended).toMatchObject({ code: 2, out: "", err: expect.stringContaining(part) });
    expect((await readdir(directory)).toSorted()).toEqual(["a.tar", "b.tar.gz"]);
  });
});
