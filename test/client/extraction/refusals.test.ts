/** Shows that no name leads outside the target, what is refused, and that a refusal leaves nothing behind. */
import { readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { TarItem } from "../../support/tar-layer.ts";
import { directory, file, link, symlink } from "../../support/tar-layer.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { extractLayers, treeOf } from "./extract-world.ts";

const REFUSED: [string, TarItem[][]][] = [
  ['a name that climbs by ".."', [[file("../canary", "gone")]]],
  ['a name that climbs and comes back by ".."', [[file("a/../b")]]],
  ["an absolute name", [[file("/abs")]]],
  ["a NUL in a name", [[file("x", "", { pax: { path: "a\0b" } })]]],
  ["a NUL in a link", [[symlink("x", "y", { pax: { linkpath: "a\0b" } })]]],
  ["a link to nothing", [[symlink("x", "")]]],
  ["a name below a symbolic link that leads out", [[symlink("out", ".."), file("out/canary", "gone")]]],
  ["a name below one that leads out from deeper", [[symlink("d/out", "../../.."), file("d/out/x/canary")]]],
  ["the same in another layer", [[symlink("out", "../")], [file("out/canary", "gone")]]],
  ["a whiteout below a symbolic link that leads out", [[symlink("out", "..")], [file("out/.wh.canary")]]],
  ["an opaque marker below one", [[symlink("out", "..")], [file("out/.wh..wh..opq")]]],
  ["symbolic links in a circle on the way", [[symlink("a", "b"), symlink("b", "a"), file("a/x")]]],
  ["a whiteout of the parent directory", [[directory("d")], [file("d/.wh...")]]],
  ["a whiteout of the directory itself", [[directory("d")], [file("d/.wh..")]]],
  ["a whiteout of nothing", [[directory("d")], [file("d/.wh.")]]],
  ["a hard link that climbs", [[link("x", "../canary")]]],
  ["a hard link to what is not in the image", [[link("x", "/etc/passwd")]]],
  ["a hard link through a symbolic link that leads out", [[symlink("out", ".."), link("x", "out/canary")]]],
  ["a hard link to a directory", [[directory("d"), link("x", "d")]]],
  ["a hard link to the root", [[link("x", "/")]]],
  ["a hard link in place of the directory that its file is in", [[file("d/x"), link("d", "d/x")]]],
  ["a root that is no directory", [[symlink("./", "/etc")]]],
  ["a file below a file of its own layer", [[file("a"), file("a/b")]]],
];

test.each(REFUSED)("%s is refused, and nothing outside is touched", async (_, layers) => {
  const beside = await tempDirectory();
  await writeFile(join(beside, "canary"), "alive");
  await expect(extractLayers(layers, { directory: join(beside, "root") })).rejects.toMatchObject({
    code: "manifest-invalid",
    message: expect.stringMatching(/^Layer \d \(sha256:[0-9a-f]{64}\): /),
  });
  expect(await treeOf(beside)).toEqual({ canary: "644 alive" });
});

test("an absolute symbolic link and names that only look like climbing stay inside", async () => {
  const { tree } = await extractLayers([
    [
      symlink("abs", "/etc"),
      file("abs/passwd", "inside"),
      symlink("a/b/up", "../../etc"),
      file("a/b/up/group", "inside"),
      file("..a", "1"),
      file("./b..//c", "2"),
      file("whole/", "", { type: "5", mode: 0o755 }),
      directory("/", 0o755),
    ],
  ]);
  expect(tree).toMatchObject({
    etc: "755/",
    "etc/passwd": "644 inside",
    "etc/group": "644 inside",
    "..a": "644 1",
    "b../c": "644 2",
    whole: "755/",
  });
});

test("devices and pipes are left out, with a warning that counts them", async () => {
  const { tree, extraction } = await extractLayers([
    [
      ...["null", "zero", "tty", "full"].map((name) => file(`dev/${name}`, "", { type: "3" })),
      file("dev/sda", "", { type: "4" }),
      file("pipe", "", { type: "6" }),
      file("a", "1", { pax: { "SCHILY.xattr.security.capability": "x" } }),
      file(".wh..wh.plnk/123", "2"),
      file(".wh..wh.aufs", "3"),
      file("b", "4"),
    ],
  ]);
  expect(tree).toEqual({ a: "644 1", b: "644 4" });
  expect(extraction.warnings).toEqual([
    "Devices and pipes were left out (6): dev/null, dev/zero, dev/tty, ….",
    "Extended attributes were not restored, such as file capabilities (1): a.",
    "Bookkeeping entries of aufs were left out (2): .wh..wh.plnk/123, .wh..wh.aufs.",
  ]);
});

test("long names by PAX and by GNU, and names in UTF-8, are kept", async () => {
  const long = `${"d".repeat(120)}/${"n".repeat(250)}`;
  const text = "grüße/文件-🐳";
  const { tree } = await extractLayers([
    [
      file("short", "1", { pax: { path: long } }),
      file(`g${long}`, "2", { isGnuLong: true }),
      file(text, "3"),
      file("x", "4", { pax: { path: `p${text}` } }),
      { name: "l", type: "2", linkName: long, isGnuLong: true },
      symlink("m", "", { pax: { linkpath: long } }),
    ],
  ]);
  expect(tree).toMatchObject({
    [long]: "644 1",
    [`g${long}`]: "644 2",
    [text]: "644 3",
    [`p${text}`]: "644 4",
    l: `-> ${long}`,
    m: `-> ${long}`,
  });
});

test("names that are not UTF-8 are written with U+FFFD, their whiteouts find them, and a warning tells", async () => {
  const name = Buffer.from("caf\xe9", "latin1");
  const { tree, extraction } = await extractLayers([
    [file("a"), { name, content: "1" }, { name: Buffer.from("th\xe9", "latin1") }],
    [{ name: Buffer.from(".wh.th\xe9", "latin1") }],
  ]);
  expect(tree).toEqual({ a: "644 ", "caf\uFFFD": "644 1" });
  expect(extraction.warnings).toEqual([expect.stringContaining("(2): caf\uFFFD, th\uFFFD.")]);
});

test.each([
  ["GNU's old kind", file("s", "x", { type: "S" })],
  ["GNU's PAX kind", file("s", "x", { pax: { "GNU.sparse.major": "1", "GNU.sparse.minor": "0" } })],
  ["an unknown type", file("s", "x", { type: "V" })],
])("sparse files of %s are refused by name", async (_, item) => {
  await expect(extractLayers([[file("a"), item]])).rejects.toMatchObject({
    code: "manifest-invalid",
    message: expect.stringContaining('"s" is a sparse file or an entry of an unknown type'),
  });
});

test("a wrong diff ID, or one too few, refuses the image and leaves the target untouched", async () => {
  const beside = await tempDirectory();
  const target = join(beside, "root");
  const wrong = { diffIds: [`sha256:${"0".repeat(64)}`] };
  await expect(extractLayers([[file("a")]], { directory: target }, wrong)).rejects.toMatchObject({
    code: "digest-mismatch",
    facts: { expected: wrong.diffIds[0], found: expect.stringMatching(/^sha256:/) },
  });
  await expect(extractLayers([[file("a")]], { directory: target }, { diffIds: [] })).rejects.toMatchObject({
    code: "manifest-invalid",
    facts: { expected: 0, found: 1 },
  });
  expect(await readdir(beside)).toEqual([]);
  const { root } = await extractLayers([[file("old", "1")]], { directory: target });
  const options = { directory: root, replace: true };
  await expect(extractLayers([[file("a")]], options, wrong)).rejects.toMatchObject({
    code: "digest-mismatch",
  });
  expect(await treeOf(beside)).toEqual({ root: "755/", "root/old": "644 1" });
});

test.each([
  ["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", "no registry passes on"],
  ["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", "no registry passes on"],
  ["application/vnd.ollama.image.model", "this is an artifact"],
  ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "this is an artifact"],
])("a layer of type %s is refused before anything is read", async (mediaType, words) => {
  const openLayer = () => {
    throw new Error("nothing is to be read");
  };
  await expect(extractLayers([[file("a")]], { openLayer }, { mediaType })).rejects.toMatchObject({
    code: "manifest-invalid",
    message: expect.stringContaining(words),
  });
});

test("more bytes or entries than allowed end the extraction, and nothing is left", async () => {
  const bomb = Buffer.alloc(20 * 2 ** 20);
  const beside = await tempDirectory();
  const extract = (options: object) =>
    extractLayers([[file("a", bomb)], [file("b", bomb)]], { directory: join(beside, "root"), ...options });
  await expect(extract({ maxBytes: 30 * 2 ** 20 })).rejects.toMatchObject({
    code: "store-full",
    message: expect.stringContaining("more than 30 MiB"),
  });
  await expect(extract({ maxEntries: 1 })).rejects.toMatchObject({
    code: "store-full",
    message: expect.stringContaining("more than 1 entries"),
  });
  expect(await readdir(beside)).toEqual([]);
  await extract({ maxBytes: 41 * 2 ** 20, maxEntries: 2 });
});
