/**
 * Shows that archives of the real tools open as what was put into them, and that they take what writeImage makes: umoci for the
 * layout, skopeo and buildah for each form that they write.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CreatedImage, writeImage } from "../../src/client/archives/create-image.ts";
import { openArchive } from "../../src/client/archives/open-archive.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { makeLayerTars } from "./support/layer-tars.ts";
import { contentOf } from "./support/opened-content.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

describeWith(["skopeo", "umoci", "buildah", "tar", "gzip", "zstd"], "archives of other tools", () => {
  const house = new AsyncDisposableStack();
  let place: string;
  let tars: readonly string[];
  let layout: string;
  let id: string;

  beforeAll(async () => {
    place = await scratchDirectory(house, "archives");
    const [lower, upper] = await makeLayerTars(place);
    tars = [lower, upper, lower];
    layout = await umociLayout();
    id = JSON.parse(await skopeo("inspect", "--raw", `oci:${layout}:v1`)).config.digest;
    await skopeo("copy", `oci:${layout}:v1`, `docker-archive:${pathOf("saved.tar")}:app:v1`);
    await skopeo("copy", `oci:${layout}:v1`, `oci-archive:${pathOf("oci.tar")}:v1`);
  });
  afterAll(() => house.disposeAsync());

  const skopeo = (...args: string[]) => runCommand("skopeo", ["--insecure-policy", ...args]);
  const pathOf = (name: string) => join(place, name);

  async function umociLayout(): Promise<string> {
    const path = pathOf("layout");
    await runCommand("umoci", ["init", "--layout", path]);
    await runCommand("umoci", ["new", "--image", `${path}:v1`]);
    for (const tar of tars) await runCommand("umoci", ["raw", "add-layer", "--image", `${path}:v1`, tar]);
    const platform = ["--architecture", "amd64", "--os", "linux"];
    await runCommand("umoci", ["config", "--image", `${path}:v1`, ...platform]);
    return path;
  }

  /** The layers unpack to the tars that went in. */
  async function expectLayers(path: string, name?: string) {
    const found = await contentOf(await openArchive(path, name === undefined ? {} : { name }));
    expect(found.layers).toEqual(await Promise.all(tars.map(async (tar) => digestOf(await readFile(tar)))));
    expect(found.diffIds).toEqual(found.layers);
    return found;
  }

  /** And the config is the one of the layout, byte for byte. */
  async function expectSame(path: string, name?: string): Promise<readonly string[]> {
    const found = await expectLayers(path, name);
    expect(found.id).toBe(id);
    return found.mediaTypes;
  }

  test("a layout of umoci opens, alone and beside another image", async () => {
    await expectSame(layout);
    await skopeo("copy", `oci:${layout}:v1`, `oci:${pathOf("two")}:ghcr.io/org/app:v1`);
    await runCommand("umoci", ["new", "--image", `${pathOf("two")}:empty`]);
    await expect(openArchive(pathOf("two"))).rejects.toMatchObject({ code: "reference-invalid" });
    await expectSame(pathOf("two"), "ghcr.io/org/app:v1");
  });

  test("skopeo's docker-archive opens: plain layers, the second of two equal ones not stored", async () => {
    const type = "application/vnd.docker.image.rootfs.diff.tar";
    expect(await expectSame(pathOf("saved.tar"))).toEqual([type, type, type]);
    await expectSame(pathOf("saved.tar"), "app:v1");
  });

  test("skopeo's layouts and archives of them open: gzip, zstd and plain layers", async () => {
    expect(await expectSame(pathOf("oci.tar"), "v1")).toContain(
      "application/vnd.oci.image.layer.v1.tar+gzip",
    );
    // What is packed stays as it is, so the plain layers of the other archive are what gets packed anew.
    const packing = ["--dest-compress", "--dest-compress-format", "zstd"];
    await skopeo("copy", ...packing, `docker-archive:${pathOf("saved.tar")}`, `oci:${pathOf("zstd")}:v1`);
    // A Docker config becomes an OCI one on the way; the layers stay.
    const { mediaTypes } = await expectLayers(pathOf("zstd"));
    expect(mediaTypes).toEqual(tars.map(() => "application/vnd.oci.image.layer.v1.tar+zstd"));
  });

  test("archives that are packed as a whole open", async () => {
    await runCommand("gzip", ["--keep", pathOf("saved.tar")]);
    await runCommand("zstd", ["--quiet", "--keep", pathOf("oci.tar")]);
    await expectSame(pathOf("saved.tar.gz"));
    await expectSame(pathOf("oci.tar.zst"));
  });

  test("buildah's archives open", async () => {
    const store = ["--root", pathOf("root"), "--runroot", pathOf("run"), "--storage-driver", "vfs"];
    const buildah = (...args: string[]) => runCommand("buildah", [...store, ...args]);
    const pulled = (await buildah("pull", "--quiet", `docker-archive:${pathOf("saved.tar")}`)).trim();
    for (const form of ["docker-archive", "oci-archive"]) {
      const path = pathOf(`buildah-${form}.tar`);
      await buildah("push", "--quiet", pulled, `${form}:${path}:granary.example/app:v1`);
      await expectLayers(path, "granary.example/app:v1");
    }
  });

  describeMade(() => ({ place, tars, skopeo }));
});

type Made = {
  readonly place: string;
  readonly tars: readonly string[];
  readonly skopeo: (...args: string[]) => Promise<string>;
};

/** What the tools make of an image of ours. */
function describeMade(given: () => Made): void {
  let made: CreatedImage;
  let path: string;
  beforeAll(async () => {
    const { place, tars } = given();
    path = join(place, "made.tar");
    made = await writeImage(tars, {
      name: "granary.example/app:v1",
      platform: "linux/arm64/v8",
      output: path,
    });
  });

  test("an image made from tars is read by skopeo as docker-archive and as oci-archive", async () => {
    const { skopeo } = given();
    const layers = made.layers.map(({ digest }) => digest);
    for (const place of [`docker-archive:${path}:granary.example/app:v1`, `oci-archive:${path}:v1`]) {
      const found = JSON.parse(await skopeo("inspect", place));
      expect(found).toMatchObject({ Architecture: "arm64", Os: "linux", Layers: layers });
    }
    expect(JSON.parse(await skopeo("inspect", `oci-archive:${path}`)).Digest).toBe(made.digest);
  });

  test("an image made from tars unpacks with umoci to the files that went in", async () => {
    const { place, tars, skopeo } = given();
    const layout = join(place, "copied");
    await skopeo("copy", `oci-archive:${path}:v1`, `oci:${layout}:v1`);
    const bundle = join(place, "bundle");
    await runCommand("umoci", ["unpack", "--image", `${layout}:v1`, bundle]);
    const expected = join(place, "expected");
    await mkdir(expected);
    for (const tar of tars) await runCommand("tar", ["-xf", tar, "-C", expected]);
    await runCommand("diff", ["-r", "--no-dereference", expected, join(bundle, "rootfs")]);
  });
}
