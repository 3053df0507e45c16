/** Owns two layers as tar(1) packs them, with the entries that a real one has: folders, modes, links, a long name. */
import { chmod, link, mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { patternBytes } from "../../support/pattern.ts";
import { runCommand } from "./run-command.ts";

/** Paths of the tars, the lower first. */
export async function makeLayerTars(directory: string): Promise<readonly [lower: string, upper: string]> {
  const trees = ["lower", "upper"].map((name) => join(directory, name));
  for (const [seed, tree] of trees.entries()) {
    const deep = join(tree, "usr", "share", "a-long-name-".repeat(8), "another-long-name-".repeat(8));
    await mkdir(deep, { recursive: true });
    await writeFile(join(deep, "file"), patternBytes(seed, 0, 3_000_001));
    await writeFile(join(tree, `tool-${seed}`), "#!/bin/sh\n");
    await chmod(join(tree, `tool-${seed}`), 0o755);
    await link(join(tree, `tool-${seed}`), join(tree, `again-${seed}`));
    await symlink("usr/share", join(tree, `link-${seed}`));
  }
  const [lower = "", upper = ""] = trees;
  for (const tree of trees) await runCommand("tar", ["--sort=name", "-C", tree, "-cf", `${tree}.tar`, "."]);
  return [`${lower}.tar`, `${upper}.tar`];
}
