/**
 * Owns which files tell Podman, skopeo, buildah and CRI-O about registries, in the order in which they count: registries.conf, then the
 * drop-ins by name. It changes nothing.
 */
import { basename, dirname, join } from "node:path";
import { messageOf } from "../errors.ts";
import { namesIn } from "../files/disk.ts";
import { readKeptFile } from "../files/kept-file.ts";
import { type RegistryEntry, registryEntries } from "./formats/registries.ts";

export type RegistryFile = {
  readonly path: string;
  readonly entries: readonly RegistryEntry[];
  /** Why it cannot be read, a clause; the libraries then refuse every pull. */
  readonly problem?: string;
};

/** Those that are read beside the drop-in `file`, that one too where it is there. */
export async function readRegistryFiles(file: string): Promise<RegistryFile[]> {
  const folder = dirname(file);
  const names = (await namesIn(folder)).filter((name) => name.endsWith(".conf")).sort();
  const isDropIn = basename(folder).endsWith(".d");
  const paths = [
    ...(isDropIn ? [folder.replace(/\.d$/, "")] : []),
    ...names.map((name) => join(folder, name)),
  ];
  const found = await Promise.all(paths.map(readOne));
  return found.filter((each) => each !== undefined);
}

async function readOne(path: string): Promise<RegistryFile | undefined> {
  const found = await readKeptFile(path);
  if (found === undefined) return undefined;
  try {
    return { path, entries: registryEntries(found.text.replace(/^\uFEFF/, "")) };
  } catch (error) {
    return { path, entries: [], problem: messageOf(error) };
  }
}
