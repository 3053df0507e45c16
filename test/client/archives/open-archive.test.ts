/** Owns the tests of archives in each form: which image is found, and that its bytes come out as they went in. */
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { type ArchiveOptions, openArchive } from "../../../src/client/archives/open-archive.ts";
import { readSmallBlob } from "../../../src/client/fetching/read-blob.ts";
import { imageFrom } from "../../../src/client/images/image.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { formatReference } from "../../../src/oci/reference.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import {
  type Entry,
  json,
  layoutEntries,
  type MadeImage,
  makeImage,
  manifestEntry,
  named,
  saveEntries,
  tarOf,
  writeFolder,
  writeTar,
} from "./make-archive.ts";

const AMD64 = { os: "linux", architecture: "amd64" };
const ARM64 = { os: "linux", architecture: "arm64" };
const MIXED = ["none", "gzip", "zstd", "none"] as const;

/** What an archive holds, read to the last byte with all checks. */
async function contentOf(path: string, options?: ArchiveOptions) {
  const { source, reference } = await openArchive(path, options);
  try {
    const image = await imageFrom(source, reference, { platform: AMD64 });
    const layers: Buffer[] = [];
    for (const layer of image.view.layers) {
      layers.push(Buffer.from(await readSmallBlob(source, reference, layer, 1_000_000)));
    }
    const types = image.view.layers.map(({ mediaType }) => mediaType);
    return { layers, types, config: Buffer.from(image.configBytes), reference: formatReference(reference) };
  } finally {
    await source.close();
  }
}

async function expectContent(path: string, made: MadeImage, options?: ArchiveOptions) {
  const { layers, config } = await contentOf(path, options);
  expect(layers).toEqual(made.layers);
  expect(config).toEqual(made.config);
}

describe("an archive", () => {
  it("can be an OCI layout in a tar or in a folder", async () => {
    const made = await makeImage(MIXED);
    const entries = layoutEntries([made], [manifestEntry(made, named("v1"))]);
    await expectContent(await writeTar(await tempDirectory(), entries), made);
    await expectContent(await writeFolder(await tempDirectory(), entries), made);
  });

  it("can be what docker save wrote, with plain and compressed layers", async () => {
    const made = await makeImage(MIXED);
    const path = await writeTar(await tempDirectory(), saveEntries([[["app:v1"], made]]));
    await expectContent(path, made);
    const { types, reference } = await contentOf(path);
    const type = "application/vnd.docker.image.rootfs.diff.tar";
    expect(types).toEqual([type, `${type}.gzip`, `${type}.zstd`, type]);
    expect(reference).toMatch(/^docker\.io\/library\/app:v1@sha256:/);
  });

  it("is read as an OCI layout when it is that and a docker save as well", async () => {
    const [layout, saved] = [await makeImage(["gzip"], 1), await makeImage(["gzip"], 2)];
    const entries = [
      ...saveEntries([[["app:v1"], saved]]),
      ...layoutEntries([layout], [manifestEntry(layout, named("v1"))]),
    ];
    await expectContent(await writeTar(await tempDirectory(), entries), layout);
  });

  it("finds layers behind links, as docker save writes the second of two equal ones", async () => {
    const made = await makeImage(["none", "none"]);
    const [, again] = made.layers;
    const entries: Entry[] = saveEntries([[["app:v1"], made]]).filter(({ content }) => content !== again);
    entries.push({ name: "real/layer.tar", content: again ?? "" });
    for (const link of [
      { type: "symlink", linkname: "../real/layer.tar" },
      { type: "link", linkname: "real/layer.tar" },
    ] as const) {
      const path = await writeTar(await tempDirectory(), [...entries, { name: "0-1/layer.tar", ...link }]);
      await expectContent(path, made);
    }
  });

  it("can be packed as a whole, and its temporary file has no name", async () => {
    const made = await makeImage(["gzip"]);
    const tar = await tarOf(layoutEntries([made], [manifestEntry(made)]));
    for (const pack of [gzipSync, zstdCompressSync]) {
      const directory = await tempDirectory();
      const temporaryDirectory = join(directory, "temporary");
      await mkdir(temporaryDirectory);
      await writeFile(join(directory, "x.tar"), pack(tar));
      await expectContent(join(directory, "x.tar"), made, { temporaryDirectory });
      const { source } = await openArchive(join(directory, "x.tar"), { temporaryDirectory });
      expect(await readdir(temporaryDirectory)).toEqual([]);
      await source.close();
      await expect(contentOf(join(directory, "x.tar"), { temporaryDirectory: "/nowhere" })).rejects.toThrow(
        /temporary file in \/nowhere/,
      );
    }
  });

  it("can be packed by a zstd whose first frame is one to skip", async () => {
    const made = await makeImage(["none"]);
    const tar = await tarOf(layoutEntries([made], [manifestEntry(made)]));
    const path = join(await tempDirectory(), "x.tar");
    const skipped = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7]);
    await writeFile(path, Buffer.concat([skipped, zstdCompressSync(tar)]));
    await expectContent(path, made);
  });

  it("can be reached by a symbolic link", async () => {
    const made = await makeImage(["gzip"]);
    const directory = await tempDirectory();
    const path = await writeTar(directory, layoutEntries([made], [manifestEntry(made)]));
    await symlink(path, join(directory, "link"));
    await expectContent(join(directory, "link"), made);
  });

  it("has names longer than a tar header, and ./ in front of them", async () => {
    const made = await makeImage(["none"]);
    const entries = layoutEntries([made], [manifestEntry(made)]).map((entry) => ({
      ...entry,
      name: `./${entry.name}`,
    }));
    entries.unshift({ name: `${"long/".repeat(60)}file`, content: "x" });
    await expectContent(await writeTar(await tempDirectory(), entries), made);
  });

  it("gives its index when it has one image for several platforms", async () => {
    const [amd64, arm64] = [await makeImage(["gzip"], 1), await makeImage(["gzip"], 2)];
    const children = [manifestEntry(arm64, { platform: ARM64 }), manifestEntry(amd64, { platform: AMD64 })];
    const loose = layoutEntries([amd64, arm64], children);
    await expectContent(await writeTar(await tempDirectory(), loose), amd64);
    const tagged = children.map((child) => ({ ...child, ...named("v1") }));
    await expectContent(await writeTar(await tempDirectory(), layoutEntries([amd64, arm64], tagged)), amd64, {
      name: "v1",
    });
    const type = "application/vnd.oci.image.index.v1+json";
    const index = json({ schemaVersion: 2, mediaType: type, manifests: children });
    const nested = layoutEntries(
      [amd64, arm64],
      [{ ...manifestEntry({ ...amd64, manifest: index }), mediaType: type }],
    );
    nested.push({ name: `blobs/sha256/${digestOf(index).slice(7)}`, content: index });
    await expectContent(await writeTar(await tempDirectory(), nested), amd64);
  });
});

describe("an image among several", () => {
  async function twoSaved() {
    const [first, second] = [await makeImage(["gzip"], 1), await makeImage(["gzip"], 2)];
    const entries = saveEntries([
      [["alpine:3", "ghcr.io/org/app:v1"], first],
      [[], second],
    ]);
    return { first, second, path: await writeTar(await tempDirectory(), entries) };
  }

  async function twoInLayout() {
    const [first, second] = [await makeImage(["gzip"], 1), await makeImage(["gzip"], 2)];
    const manifests = [manifestEntry(first, named("v1")), manifestEntry(second, named("ghcr.io/org/app:v2"))];
    return {
      first,
      second,
      path: await writeTar(await tempDirectory(), layoutEntries([first, second], manifests)),
    };
  }

  it("is found by its name, by a name that means the same, or by its digest", async () => {
    const saved = await twoSaved();
    for (const name of [
      "alpine:3",
      "docker.io/library/alpine:3",
      "ghcr.io/org/app:v1",
      digestOf(saved.first.config),
    ]) {
      await expectContent(saved.path, saved.first, { name });
    }
    await expectContent(saved.path, saved.second, { name: digestOf(saved.second.config) });
    const layout = await twoInLayout();
    await expectContent(layout.path, layout.first, { name: "v1" });
    await expectContent(layout.path, layout.second, { name: "oci://ghcr.io/org/app:v2" });
    await expectContent(layout.path, layout.second, { name: digestOf(layout.second.manifest) });
  });

  it("must be named, and the error lists the names", async () => {
    await expect(openArchive((await twoSaved()).path)).rejects.toMatchObject({
      code: "reference-invalid",
      message: expect.stringMatching(/alpine:3, ghcr\.io\/org\/app:v1, sha256:/),
    });
    await expect(openArchive((await twoInLayout()).path)).rejects.toMatchObject({
      code: "reference-invalid",
      message: expect.stringMatching(/v1, sha256:.*ghcr\.io\/org\/app:v2/),
    });
  });

  it("that is not there is not-found, with the names that are", async () => {
    await expect(openArchive((await twoSaved()).path, { name: "alpine:4" })).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringMatching(/no image "alpine:4"; it has alpine:3/),
    });
  });

  it("counts once when it has several names", async () => {
    const made = await makeImage(["gzip"]);
    const manifests = [manifestEntry(made, named("v1")), manifestEntry(made, named("latest"))];
    await expectContent(await writeTar(await tempDirectory(), layoutEntries([made], manifests)), made);
  });
});
