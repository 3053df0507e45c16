/**
 * Owns the image that is extracted: a tree of small and large files that compress to about half, as three gzip layers in an OCI
 * layout. Made once per run, with tar and skopeo; Granary only wraps the layers.
 */
import { randomFillSync } from "node:crypto";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeImage } from "../../src/client/archives/create-image.ts";
import { runCommand } from "./support/children.ts";

export type ImageMaterial = {
  /** An OCI layout with the one image "image:bench". */
  readonly layout: string;
  /** Its layers, compressed, bottom first. */
  readonly layers: readonly string[];
  /** Bytes of all files. */
  readonly size: number;
};

const KIB = 1024;
const SMALL = 16 * KIB;
/** One part in eight lies in small files: a system's libraries beside a model, or a toolchain. */
const SMALL_PART = 1 / 8;
const LARGE = 12 * 1024 * KIB;
const LAYERS = 3;

export async function makeImage(directory: string, size: number): Promise<ImageMaterial> {
  const tars = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const root = join(directory, `root-${layer}`);
    makeTree(root, layer, size / LAYERS);
    const tar = join(directory, `layer-${layer}.tar`);
    await runCommand("tar", ["-C", root, "-cf", tar, "."]);
    rmSync(root, { recursive: true });
    tars.push(tar);
  }
  const output = join(directory, "image.tar");
  await writeImage(tars, { name: "image:bench", platform: "linux/amd64", output });
  const layout = join(directory, "layout");
  // It compresses the layers on the way.
  await runCommand("skopeo", ["--insecure-policy", "copy", `oci-archive:${output}`, `oci:${layout}:bench`]);
  rmSync(output);
  for (const tar of tars) await runCommand("gzip", ["-1", tar]);
  return { layout, layers: tars.map((tar) => `${tar}.gz`), size };
}

function makeTree(root: string, layer: number, size: number): void {
  const content = Buffer.alloc(LARGE, "all work and no play makes a dull boy\n");
  const smallFiles = Math.round((size * SMALL_PART) / SMALL);
  const largeFiles = Math.ceil((size * (1 - SMALL_PART)) / LARGE);
  for (let index = 0; index < smallFiles; index++) {
    const folder = join(root, "usr", "lib", `module-${index % 200}`);
    if (index < 200) mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `${layer}-${index}.so`), shuffled(content.subarray(0, SMALL)));
  }
  mkdirSync(join(root, "opt"), { recursive: true });
  for (let index = 0; index < largeFiles; index++) {
    writeFileSync(join(root, "opt", `${layer}-${index}.bin`), shuffled(content));
  }
}

/** Every second KiB is random. */
function shuffled(content: Buffer): Buffer {
  for (let at = 0; at < content.length; at += 2 * KIB) randomFillSync(content, at, KIB);
  return content;
}
