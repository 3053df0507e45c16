/** Owns the Granary that is measured: the plain JavaScript that the package and the image ship, built for this run. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "./children.ts";

const PROJECT = join(import.meta.dirname, "..", "..", "..");

/** Builds into `directory` and returns the path of the launcher. */
export async function buildGranary(directory: string): Promise<string> {
  const home = join(directory, "granary");
  mkdirSync(home);
  for (const name of ["node_modules", "package.json"]) symlinkSync(join(PROJECT, name), join(home, name));
  const compiler = join(PROJECT, "node_modules", "typescript", "bin", "tsc");
  const project = join(PROJECT, "src");
  await runCommand(process.execPath, [compiler, "-p", project, "--outDir", join(home, "dist")]);
  return join(home, "dist", "cli", "granary.js");
}
