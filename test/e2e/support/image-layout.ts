/**
 * Owns the making of OCI images from directories, with umoci, in one OCI layout on disk. It knows nothing of
 * registries.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";

export type LayerSource = {
  readonly directory: string;
  /** Paths below `directory` that go in. */
  readonly include: readonly string[];
  /** tar patterns of what stays out. */
  readonly exclude?: readonly string[];
};

export async function createLayout(layout: string): Promise<void> {
  await runCommand("umoci", ["init", "--layout", layout]);
}

/** Adds the image `tag` with one layer per source, lowest first. */
export async function addImage(
  layout: string,
  tag: string,
  architecture: string,
  layers: readonly LayerSource[],
): Promise<void> {
  const image = `${layout}:${tag}`;
  await runCommand("umoci", ["new", "--image", image]);
  for (const [index, layer] of layers.entries()) {
    const archive = join(layout, `..`, `${tag}-${index}.tar`);
    await archiveLayer(archive, layer);
    await runCommand("umoci", ["raw", "add-layer", "--image", image, archive]);
    await rm(archive);
  }
  const config = ["--architecture", architecture, "--os", "linux", "--config.cmd", "/bin/sh"];
  await runCommand("umoci", ["config", "--image", image, ...config]);
}

async function archiveLayer(
  archive: string,
  { directory, include, exclude = [] }: LayerSource,
): Promise<void> {
  const shape = ["--numeric-owner", "--sort=name", ...exclude.map((pattern) => `--exclude=${pattern}`)];
  await runCommand("tar", [...shape, "-C", directory, "-cf", archive, ...include]);
}
