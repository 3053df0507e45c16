/**
 * Owns the root file system that the big test image is made of: Debian's own by debootstrap, from the mirror that
 * apt is set up with; where that cannot run, a generated tree of the same shape and at least 100 MB.
 */
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { patternBytes } from "../../support/pattern.ts";
import { installed } from "./required-programs.ts";
import { runCommand } from "./run-command.ts";

/** Makes the tree at `path`, which must not exist yet. */
export async function makeRootFileSystem(path: string): Promise<void> {
  try {
    if (!installed("debootstrap")) throw new Error("debootstrap is not installed");
    await bootstrapDebian(path);
  } catch (error) {
    process.stderr.write(`NOTICE the test image is generated, not Debian: ${String(error).slice(0, 500)}\n`);
    await rm(path, { recursive: true, force: true });
    await generateTree(path);
  }
}

async function bootstrapDebian(path: string): Promise<void> {
  const { mirror, suite } = await mirrorOfApt();
  // perl brings the compressed image over 100 MB; the package cache stays in /var on purpose, it does not compress.
  const options = ["--variant=minbase", "--include=perl"];
  await runCommand("debootstrap", [...options, suite, path, mirror], { timeoutMs: 600_000 });
}

async function mirrorOfApt(): Promise<{ mirror: string; suite: string }> {
  const format = "$(SITE) $(RELEASE) $(COMPONENT)";
  const targets = await runCommand("apt-get", ["indextargets", "--format", format, "Created-By: Packages"]);
  for (const line of targets.split("\n")) {
    const [mirror, suite, component] = line.split(" ");
    const plain = mirror?.endsWith("/debian") && component === "main" && /^[a-z]+$/.test(suite ?? "");
    if (plain && mirror !== undefined && suite !== undefined) return { mirror, suite };
  }
  throw new Error(`apt has no plain Debian suite with main among: ${targets}`);
}

/** Files of every kind of place, mostly incompressible. */
async function generateTree(path: string): Promise<void> {
  const places = ["etc", "usr/bin", "usr/lib", "usr/share/doc", "var/lib"];
  for (const [seed, place] of places.entries()) {
    await mkdir(join(path, place), { recursive: true });
    for (let file = 0; file < 24; file++) {
      await writeFile(join(path, place, `file-${file}`), patternBytes(1000 * seed + file, 0, 2 ** 20));
    }
  }
}
