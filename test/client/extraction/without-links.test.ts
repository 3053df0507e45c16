/** What an extraction does where the file system takes no links: copies in their place, once all of the tree is known. */
import { lstat } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { TreeWriter } from "../../../src/client/extraction/tree-writer.ts";
import { diskTreeWriter } from "../../../src/client/extraction/tree-writer.ts";
import { directory, file, link, symlink } from "../../support/tar-layer.ts";
import { extractLayers } from "./extract-world.ts";

function without(code: string): TreeWriter {
  const refuse = async () => {
    throw Object.assign(new Error(`${code}: no links here`), { code });
  };
  return { ...diskTreeWriter, link: refuse, symlink: refuse };
}

test.each(["ENOTSUP", "EOPNOTSUPP", "EPERM", "EACCES"])(
  "links refused with %s become copies",
  async (code) => {
    const { tree, root, extraction } = await extractLayers(
      [
        [
          symlink("first", "second"),
          symlink("second", "/dir/file"),
          symlink("tree", "dir"),
          directory("dir", 0o750, { mtime: 1_000_000_000 }),
          file("dir/file", "x", { mode: 0o4755, mtime: 1_100_000_000 }),
          symlink("dir/inner", "sub"),
          file("dir/sub/deep", "y"),
          link("hard", "dir/file"),
          link("harder", "hard"),
          file("tree/new", "z"),
        ],
        [file(".wh.hard"), symlink("late", "harder"), file("replaced", "1")],
        [file(".wh.late"), symlink("replaced", "harder"), link("linked", "replaced")],
      ],
      { writer: without(code), keepSpecialBits: true },
    );
    const subtree = (at: string) => ({
      [at]: "750/",
      [`${at}/file`]: "4755 x",
      [`${at}/inner`]: "755/",
      [`${at}/inner/deep`]: "644 y",
      [`${at}/new`]: "644 z",
      [`${at}/sub`]: "755/",
      [`${at}/sub/deep`]: "644 y",
    });
    expect(tree).toEqual({
      ...subtree("dir"),
      ...subtree("tree"),
      first: "4755 x",
      second: "4755 x",
      harder: "4755 x",
      linked: "4755 x",
      replaced: "4755 x",
    });
    expect(extraction.warnings).toEqual([]);
    for (const name of ["dir", "tree"])
      expect((await lstat(join(root, name))).mtimeMs).toBe(1_000_000_000_000);
    for (const name of ["first", "harder"])
      expect((await lstat(join(root, name))).mtimeMs).toBe(1_100_000_000_000);
  },
);

test("links in a circle cannot be copied: an error", async () => {
  const layers = [[symlink("a", "b"), symlink("b", "a")]];
  await expect(extractLayers(layers, { writer: without("EPERM") })).rejects.toMatchObject({
    code: "manifest-invalid",
    message: expect.stringContaining("circle"),
  });
});

test("links to nothing, to the outside and to a directory above are left out with a warning", async () => {
  const { tree, extraction } = await extractLayers(
    [
      [
        symlink("nothing", "nowhere"),
        symlink("outside", "../../etc/passwd"),
        symlink("usr/bin/X11", "."),
        symlink("usr/up", "/"),
        file("usr/bin/tool", "x"),
        symlink("bin", "usr/bin"),
      ],
    ],
    { writer: without("ENOTSUP") },
  );
  expect(tree).toEqual({
    bin: "755/",
    "bin/tool": "644 x",
    usr: "755/",
    "usr/bin": "755/",
    "usr/bin/tool": "644 x",
  });
  expect(extraction.warnings).toEqual([
    expect.stringContaining("(2): nothing, outside."),
    expect.stringContaining("(3): usr/bin/X11, usr/up, bin/X11."),
  ]);
});

test("copies count against the caps: links to trees of links grow without end", async () => {
  const levels = Array.from({ length: 20 }, (_, level) => [
    symlink(`d${level + 1}/a`, `../d${level}`),
    symlink(`d${level + 1}/b`, `../d${level}`),
  ]).flat();
  const layers = [[file("d0/x", "1".repeat(10_000)), ...levels]];
  const limits = { maxEntries: 2000, writer: without("EPERM") };
  await expect(extractLayers(layers, limits)).rejects.toMatchObject({ code: "store-full" });
});

test("other failures of the file system are told as they are, and leave nothing", async () => {
  const layers = [[file("a"), symlink("b", "a")]];
  await expect(extractLayers(layers, { writer: without("EIO") })).rejects.toMatchObject({
    code: "store-damaged",
    message: expect.stringContaining("linking b"),
  });
  await expect(extractLayers(layers, { writer: without("ENOSPC") })).rejects.toMatchObject({
    code: "store-full",
  });
});
