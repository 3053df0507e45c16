/** What an extracted image looks like: layers over each other as a container would see them, with modes, links and times. */
import { lstat, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { patternBytes } from "../../support/pattern.ts";
import { directory, file, link, symlink, tarLayer } from "../../support/tar-layer.ts";
import { extractLayers } from "./extract-world.ts";

test("files and directories get their exact modes and times, whatever the umask says", async () => {
  const umask = process.umask(0o077);
  const exact = [
    [
      directory("./", 0o711, { mtime: 1_100_000_000 }),
      directory("bin/", 0o1777, { mtime: 1_200_000_000 }),
      file("bin/tool", "run me", { mode: 0o755, mtime: 1_300_000_000 }),
      file("bin/setuid", "run me as root", { mode: 0o4755 }),
      file("bin/plain", "read me", { mode: 0o644, pax: { mtime: "1400000000.25" } }),
      directory("closed", 0o500, { mtime: 1_250_000_000 }),
      file("closed/inside", "x", { mode: 0o400 }),
      file("implied/deep/empty", "", { mode: 0o600 }),
    ],
  ];
  const { root, tree, extraction } = await extractLayers(exact, { keepSpecialBits: true }).finally(() =>
    process.umask(umask),
  );
  expect(tree).toEqual({
    bin: "1777/",
    "bin/plain": "644 read me",
    "bin/setuid": "4755 run me as root",
    "bin/tool": "755 run me",
    closed: "500/",
    "closed/inside": "400 x",
    implied: "755/",
    "implied/deep": "755/",
    "implied/deep/empty": "600 ",
  });
  const mtime = async (name: string) => (await lstat(join(root, name))).mtimeMs / 1000;
  expect(await mtime(".")).toBe(1_100_000_000);
  expect(await mtime("bin")).toBe(1_200_000_000);
  expect(await mtime("bin/tool")).toBe(1_300_000_000);
  expect(await mtime("bin/plain")).toBe(1_400_000_000.25);
  expect(await mtime("closed")).toBe(1_250_000_000);
  expect((await stat(root)).mode & 0o7777).toBe(0o711);
  expect(extraction).toMatchObject({ directory: root, layers: 1, entries: 8, warnings: [] });
});

test("no program runs as whoever extracted it, unless that was asked for: setuid and setgid bits are left out, with one warning", async () => {
  const { tree, extraction } = await extractLayers([
    [
      directory("tmp", 0o1777),
      directory("shared", 0o2775),
      file("su", "x", { mode: 0o4755 }),
      file("wall", "x", { mode: 0o2755 }),
      file("odd", "x", { mode: 0o7777 }),
      link("hard", "su"),
    ],
    [file("ping", "x", { mode: 0o4711 })],
  ]);
  expect(tree).toEqual({
    tmp: "1777/",
    shared: "775/",
    su: "755 x",
    wall: "755 x",
    odd: "777 x",
    hard: "755 x",
    ping: "711 x",
  });
  expect(extraction.warnings).toEqual([
    expect.stringMatching(
      /^Setuid, setgid and sticky bits were left out.*--keep-special-bits.*\(5\): shared, su, wall, …\.$/,
    ),
  ]);
});

test("small, large and empty files have their bytes", async () => {
  const contents = [0, 1, 511, 512, 513, 70_000, 2 ** 20, 2 ** 20 + 1, 3_500_000].map((size, seed) =>
    patternBytes(seed, 0, size),
  );
  const { root } = await extractLayers([contents.map((content, index) => file(`f${index}`, content))]);
  for (const [index, content] of contents.entries()) {
    expect((await readFile(join(root, `f${index}`))).equals(content)).toBe(true);
  }
});

test("what an upper layer has replaces what lies below it", async () => {
  const { tree } = await extractLayers([
    [file("a", "lower"), file("b", "lower", { mode: 0o755 }), directory("d", 0o700), file("d/x", "lower")],
    [file("a", "upper", { mode: 0o600 }), directory("d", 0o755)],
  ]);
  expect(tree).toEqual({ a: "600 upper", b: "755 lower", d: "755/", "d/x": "644 lower" });
});

test("a whiteout removes a file, a link and a whole directory of lower layers", async () => {
  const { tree } = await extractLayers([
    [
      file("file", "x"),
      symlink("link", "file"),
      directory("tree"),
      file("tree/sub/deep", "x"),
      file("stays", "x"),
    ],
    [file(".wh.file"), file(".wh.link"), file(".wh.tree"), file(".wh.never"), file("no/.wh.where")],
  ]);
  expect(tree).toEqual({ stays: "644 x" });
});

const opaqueLower = [directory("d", 0o700), file("d/old", "lower"), file("d/sub/old", "lower")];
const opaqueUpper = [file("d/new", "upper"), file("d/sub/new", "upper")];
test.each([
  ["before", [file("d/.wh..wh..opq"), ...opaqueUpper]],
  ["after", [...opaqueUpper, file("d/.wh..wh..opq")]],
])("an opaque marker %s the entries of its layer hides what is lower, and only that", async (_, upper) => {
  const { tree } = await extractLayers([opaqueLower, upper]);
  expect(tree).toEqual({
    d: "700/",
    "d/new": "644 upper",
    "d/sub": "755/",
    "d/sub/new": "644 upper",
  });
});

test("an opaque marker at the root closes the whole image, and one for nothing does nothing", async () => {
  const { tree } = await extractLayers([
    [file("a"), file("b/c")],
    [file(".wh..wh..opq"), file("no/.wh..wh..opq")],
  ]);
  expect(tree).toEqual({});
});

test.each([
  ["before", [file(".wh.x"), file("x", "new"), file(".wh.d"), file("d/new", "new")]],
  ["after", [file("x", "new"), file(".wh.x"), file("d/new", "new"), file(".wh.d")]],
])("a whiteout %s the entry that takes its place leaves that entry", async (_, upper) => {
  const lower = [file("x", "old"), directory("d", 0o700, { mtime: 1_000_000_000 }), file("d/old", "old")];
  const { tree } = await extractLayers([lower, upper]);
  expect(tree).toEqual({ x: "644 new", d: "755/", "d/new": "644 new" });
});

test("a whiteout reaches all lower layers and no upper one", async () => {
  const { tree } = await extractLayers([
    [file("x", "1"), file("d/1")],
    [file("x", "2"), file("d/2")],
    [file(".wh.x"), file(".wh.d")],
    [file("x", "4"), file("d/4")],
  ]);
  expect(tree).toEqual({ x: "644 4", d: "755/", "d/4": "644 " });
});

test.each([
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
  ["plain", (bytes: Buffer) => bytes],
  [
    "gzip of two members",
    (bytes: Buffer) => Buffer.concat([gzipSync(bytes.subarray(0, 700)), gzipSync(bytes.subarray(700))]),
  ],
])("%s layers are told by their bytes, whatever their media type says", async (_, pack) => {
  const { tree } = await extractLayers(
    [[file("a", "1"), file("b", "2".repeat(3000))], [file("a", "3")]],
    {},
    { pack },
  );
  expect(tree).toEqual({ a: "644 3", b: `644 ${"2".repeat(3000)}` });
});

test("what lies behind the end of an archive does not count, be it zeros, garbage or another archive", async () => {
  const archive = tarLayer([file("a", "1")]);
  const far = Buffer.concat([Buffer.alloc(700_000), tarLayer([file("b")])]);
  const tails = [1, 511, 512, 10_000].map((length) => Buffer.alloc(length));
  for (const tail of [
    ...tails,
    Buffer.from("garbage"),
    patternBytes(1, 0, 5000),
    tarLayer([file("b")]),
    far,
  ]) {
    const { tree } = await extractLayers([Buffer.concat([archive, tail])]);
    expect(tree).toEqual({ a: "644 1" });
  }
});

test("an archive without its end is read as far as it goes, one that is cut off is refused", async () => {
  const archive = tarLayer([file("a", "1"), file("b", "2".repeat(600))]);
  const ends = [archive.length - 1024, archive.length - 512];
  for (const end of ends) {
    expect((await extractLayers([archive.subarray(0, end)])).tree).toMatchObject({ b: expect.any(String) });
  }
  for (const end of [archive.length - 1025, archive.length - 1800, 100]) {
    await expect(extractLayers([archive.subarray(0, end)])).rejects.toMatchObject({
      code: "manifest-invalid",
    });
  }
});

test("symbolic links keep their text: relative, absolute, chained, forward, dangling, outside", async () => {
  const { root, tree } = await extractLayers([
    [
      symlink("relative", "dir/file", { mtime: 1_234_567_890 }),
      symlink("absolute", "/dir/file"),
      symlink("chain", "relative"),
      file("dir/file", "x"),
      symlink("dangling", "nowhere"),
      symlink("outside", "../../etc/passwd"),
    ],
  ]);
  expect(tree).toEqual({
    absolute: "-> /dir/file",
    chain: "-> relative",
    dangling: "-> nowhere",
    dir: "755/",
    "dir/file": "644 x",
    outside: "-> ../../etc/passwd",
    relative: "-> dir/file",
  });
  expect((await lstat(join(root, "relative"))).mtimeMs / 1000).toBe(1_234_567_890);
});

test("names lead through symbolic links of the image, absolute ones from its root", async () => {
  const { tree } = await extractLayers([
    [symlink("var/run", "/run"), file("var/run/pid", "1"), directory("usr/lib"), symlink("lib", "usr/lib")],
    [file("lib/new", "2"), file("lib/.wh.none"), file("usr/lib/old", "3")],
    [file("lib/.wh.old"), link("lib/again", "lib/new")],
  ]);
  expect(tree).toEqual({
    lib: "-> usr/lib",
    run: "755/",
    "run/pid": "644 1",
    usr: "755/",
    "usr/lib": "755/",
    "usr/lib/again": "644 2",
    "usr/lib/new": "644 2",
    var: "755/",
    "var/run": "-> /run",
  });
});

test("hard links share a file within a layer and with a lower one, and outlive its name", async () => {
  const { root, tree } = await extractLayers([
    [file("a", "1"), link("b", "a"), link("c", "/b"), symlink("s", "a")],
    [link("d/e", "a"), file("f", "2"), link("s2", "s"), link("a", "a")],
    [file(".wh.a"), file("f", "3"), link("g", "./f")],
  ]);
  expect(tree).toEqual({
    b: "644 1",
    c: "644 1",
    d: "755/",
    "d/e": "644 1",
    f: "644 3",
    g: "644 3",
    s: "-> a",
    s2: "-> a",
  });
  const inode = async (name: string) => (await lstat(join(root, name))).ino;
  expect(new Set(await Promise.all(["b", "c", "d/e"].map(inode))).size).toBe(1);
  expect(await inode("f")).toBe(await inode("g"));
});

test("a file that replaces a hard link leaves the other names alone", async () => {
  const { tree } = await extractLayers([
    [file("a", "1"), link("b", "a")],
    [file("a", "two", { mode: 0o600 })],
  ]);
  expect(tree).toEqual({ a: "600 two", b: "644 1" });
});

test("a directory becomes a file, a file a directory, and a link either", async () => {
  const { tree } = await extractLayers([
    [file("d/x", "1"), file("f", "1"), file("g", "1"), symlink("l", "d"), symlink("m", "d")],
    [
      file("d", "2"),
      directory("f", 0o700),
      file("f/y", "2"),
      file("g/z", "2"),
      directory("l"),
      file("m", "2"),
    ],
  ]);
  expect(tree).toEqual({
    d: "644 2",
    f: "700/",
    "f/y": "644 2",
    g: "755/",
    "g/z": "644 2",
    l: "755/",
    m: "644 2",
  });
});

test("a target that is an empty directory is taken, one that is not is refused and left alone", async () => {
  const { root } = await extractLayers([[directory("./", 0o750)]]);
  await extractLayers([[file("a", "1")]], { directory: root });
  await expect(extractLayers([[file("b", "1")]], { directory: root })).rejects.toMatchObject({
    code: "path-invalid",
  });
  expect(await readdir(root)).toEqual(["a"]);
  const replaced = await extractLayers([[file("b", "1")]], { directory: root, replace: true });
  expect(replaced.tree).toEqual({ b: "644 1" });
  expect(await readdir(join(root, ".."))).toEqual(["root"]);
  await writeFile(join(root, "..", "file"), "");
  await expect(
    extractLayers([[]], { directory: join(root, "..", "file"), replace: true }),
  ).rejects.toMatchObject({
    code: "path-invalid",
  });
  await expect(extractLayers([[]], { directory: join(root, "no", "where") })).rejects.toMatchObject({
    code: "path-invalid",
  });
});

test("a mount point is refused before anything is read: no rename can take its place", async () => {
  await expect(extractLayers([[]], { directory: "/proc", replace: true })).rejects.toMatchObject({
    code: "path-invalid",
    message: expect.stringContaining("/proc is a mount point"),
  });
});
