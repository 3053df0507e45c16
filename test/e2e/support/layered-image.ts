/**
 * Owns the images that extraction is judged by: over 100 MB, made by the real tar, umoci and buildah, with everything in them that
 * layers can say. The whiteouts of two layers are the tools' own. It extracts nothing.
 */
import { chmod, link, lutimes, mkdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { patternBytes } from "../../support/pattern.ts";
import * as tar from "../../support/tar-layer.ts";
import { runCommand } from "./run-command.ts";

/** Names of the images in the layout. */
export const IMAGES = ["layers", "repacked", "committed"] as const;

const MIB = 2 ** 20;
const LONG = `${"long-directory-name-".repeat(9)}d/${"long-file-name-".repeat(16)}f`;

/** Makes the OCI layout `<place>/layout` and returns its path. */
export async function makeLayeredImages(place: string): Promise<string> {
  const layout = join(place, "layout");
  await runCommand("umoci", ["init", "--layout", layout]);
  await runCommand("umoci", ["new", "--image", `${layout}:base`]);
  const platform = ["--architecture", "amd64", "--os", "linux"];
  await runCommand("umoci", ["config", "--image", `${layout}:base`, ...platform]);
  await addLayer(`${layout}:base`, await lowerLayer(place));
  await addLayer(`${layout}:base`, await upperLayer(place));
  await runCommand("umoci", ["tag", "--image", `${layout}:base`, "layers"]);
  await addLayer(`${layout}:layers`, await handMadeLayer(place));
  await repack(place, layout);
  await commit(place, layout);
  return layout;
}

async function addLayer(image: string, archive: string): Promise<void> {
  await runCommand("umoci", ["raw", "add-layer", "--image", image, archive]);
}

/** By GNU tar in the PAX format: fractions of seconds, long names, UTF-8. */
async function lowerLayer(place: string): Promise<string> {
  const root = join(place, "lower");
  await mkdir(join(root, "usr/bin"), { recursive: true });
  await fill(root, "usr/lib", 5, 10 * MIB);
  await fill(root, "usr/share", 300, 3000);
  await fill(root, "opaque/sub", 5, 100);
  await fill(root, "replaced", 5, 100);
  await fill(root, "removed/deep/tree", 20, 1000);
  await fill(root, "etc/grüße/文件", 3, 10);
  await fill(root, join("long", LONG, ".."), 1, 10);
  await writeFile(join(root, "long", LONG), "at the end of a long way");
  await writeFile(join(root, "usr/bin/su"), "setuid");
  await chmod(join(root, "usr/bin/su"), 0o4755);
  await link(join(root, "usr/bin/su"), join(root, "usr/bin/su-again"));
  await link(join(root, "usr/lib/f0"), join(root, "usr/share/the-same"));
  await symlink("usr/bin", join(root, "bin"));
  await symlink("/usr/lib", join(root, "lib"));
  await symlink("nowhere", join(root, "dangling"));
  await symlink("../../../outside", join(root, "outside"));
  await lutimes(join(root, "dangling"), 1_111_111_111.25, 1_111_111_111.25);
  await mkdir(join(root, "tmp"));
  await chmod(join(root, "tmp"), 0o1777);
  await chmod(join(root, "usr/share"), 0o550);
  await utimes(join(root, "usr/share"), 1_222_222_222.5, 1_222_222_222.5);
  await utimes(join(root, "usr"), 1_333_333_333, 1_333_333_333);
  return await archive(place, root, "pax");
}

/** By GNU tar in its own format, with whiteouts and an opaque marker that lie between what they leave. */
async function upperLayer(place: string): Promise<string> {
  const root = join(place, "upper");
  await fill(root, "usr/lib", 7, 8 * MIB, 100);
  await fill(root, "opaque", 3, 50, 200);
  await fill(root, "opaque/sub", 1, 50, 200);
  await writeFile(join(root, "opaque/.wh..wh..opq"), "");
  await writeFile(join(root, ".wh.removed"), "");
  await writeFile(join(root, "usr/lib/.wh.f1"), "");
  await writeFile(join(root, "replaced"), "a file where a directory was");
  await mkdir(join(root, "dangling"));
  await writeFile(join(root, "dangling/inside"), "a directory where a link was");
  await writeFile(join(root, `${"g".repeat(240)}`), "a long name of GNU's");
  return await archive(place, root, "gnu");
}

/** What no tool writes by itself: links to lower layers, entries through links, whiteouts behind what they leave. */
async function handMadeLayer(place: string): Promise<string> {
  const path = join(place, "hand-made.tar");
  await writeFile(
    path,
    tar.tarLayer([
      tar.directory("cross", 0o755),
      tar.link("cross/su", "usr/bin/su"),
      tar.link("cross/lib", "usr/lib/f100"),
      tar.file("bin/through-a-link", "in usr/bin", { mode: 0o755 }),
      tar.file("usr/bin/new", "new"),
      tar.file("tmp/kept", "kept"),
      tar.file("tmp/.wh.kept"),
      tar.file("etc/.wh.nothing"),
    ]),
  );
  return path;
}

/** umoci's own whiteouts, of a tree that was changed. */
async function repack(place: string, layout: string): Promise<void> {
  const bundle = join(place, "bundle");
  await runCommand("umoci", ["unpack", "--image", `${layout}:layers`, bundle]);
  await change(join(bundle, "rootfs"));
  await runCommand("umoci", ["repack", "--image", `${layout}:repacked`, bundle]);
  await rm(bundle, { recursive: true });
}

/**
 * buildah's own whiteouts, of the same changes. Without the layer made by hand: containers/storage takes a whiteout behind an
 * entry of its own layer for that entry's.
 */
async function commit(place: string, layout: string): Promise<void> {
  const home = join(place, "buildah");
  const [root, runRoot] = [join(home, "root"), join(home, "run")];
  const storage = `containers-storage:[vfs@${root}+${runRoot}]localhost/base:1`;
  await runCommand("skopeo", ["--insecure-policy", "copy", `oci:${layout}:base`, storage]);
  const run = (...args: string[]) =>
    runCommand("buildah", ["--root", root, "--runroot", runRoot, "--storage-driver", "vfs", ...args]);
  const container = (await run("from", "--quiet", "--pull-never", "localhost/base:1")).trim();
  await change((await run("mount", container)).trim());
  await run("commit", "--quiet", "--disable-compression=false", container, `oci:${layout}:committed`);
  await run("rm", container);
  await rm(home, { recursive: true });
}

async function change(root: string): Promise<void> {
  await rm(join(root, "usr/lib/f2"));
  await rm(join(root, "opaque"), { recursive: true });
  await fill(root, "opaque", 2, 70, 300);
  await rm(join(root, "usr/bin/su-again"));
  await link(join(root, "usr/lib/f3"), join(root, "usr/lib/f3-again"));
  await rm(join(root, "etc"), { recursive: true });
  await symlink("usr", join(root, "etc"));
  await rm(join(root, "replaced"));
  await fill(root, "replaced/again", 2, 10, 400);
}

async function fill(root: string, directory: string, count: number, size: number, from = 0): Promise<void> {
  await mkdir(join(root, directory), { recursive: true });
  for (let index = from; index < from + count; index++) {
    const path = join(root, directory, `f${index}`);
    await writeFile(path, patternBytes(index * 31 + directory.length, 0, size));
    await chmod(path, [0o644, 0o755, 0o600, 0o444][index % 4] ?? 0o644);
  }
}

async function archive(place: string, root: string, format: "pax" | "gnu"): Promise<string> {
  const path = join(place, `${format}.tar`);
  await runCommand("tar", [`--format=${format}`, "--sort=name", "-C", root, "-cf", path, "."]);
  await rm(root, { recursive: true });
  return path;
}
