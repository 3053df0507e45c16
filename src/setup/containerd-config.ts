/**
 * Owns what containerd's own configuration says about the folder of hosts.toml files: whether its CRI plugin (Kubernetes) reads one, and
 * which. It changes nothing; ctr and nerdctl have an option of their own and do not read this.
 */
import { dirname, isAbsolute, join, matchesGlob } from "node:path";
import { GranaryError } from "../errors.ts";
import { namesIn } from "../files/disk.ts";
import { readKeptFile } from "../files/kept-file.ts";
import type { KeyPath, PlainTree, PlainValue } from "./change.ts";
import { parseToml } from "./formats/toml-text.ts";
import { isTree, valueAt } from "./tree-edits.ts";

export type ContainerdConfig = {
  /** Of the file's format; undefined where there is no file. */
  readonly version: number | undefined;
  /** The first folder that it names; undefined where it names none, and hosts.toml files are read by nobody. */
  readonly folder: string | undefined;
  /** Several folders with colons between them: some releases read none of them (containerd/containerd#12808). */
  readonly isSeveral: boolean;
  /** Mirrors in the older form, beside which no folder may be named. */
  readonly hasOldMirrors: boolean;
  /** The plugin is switched off, as in the packages of Docker. */
  readonly isCriOff: boolean;
  /** Where the folder belongs in a file of this version. */
  readonly key: KeyPath;
};

/** Of the file and of those that it imports. Throws `config-invalid` with the file's name, `path-invalid`. */
export async function readContainerdConfig(file: string): Promise<ContainerdConfig> {
  const tree = await treeOf(file);
  const version = tree === undefined ? undefined : Number(tree.version ?? 1);
  const key = keyFor(version ?? 2);
  const imported = tree === undefined ? [] : await importedBy(file, tree);
  const registries = [...(tree === undefined ? [] : [tree]), ...imported].flatMap(registriesOf);
  const path = registries
    .map(({ config_path: found }) => found)
    .findLast((found) => typeof found === "string" && found !== "");
  const [folder] = typeof path === "string" ? path.split(":") : [];
  if (folder !== undefined && !isAbsolute(folder)) throw relative(file, key, folder);
  return {
    version,
    folder,
    isSeveral: typeof path === "string" && path.includes(":"),
    hasOldMirrors: registries.some(namesMirrors),
    isCriOff: listOf(tree?.disabled_plugins).some((name) => CRI.includes(name)),
    key,
  };
}

/** Whether a configuration, or a part of one, names mirrors in the older form. */
export function hasOldMirrors(tree: PlainTree): boolean {
  return registriesOf(tree).some(namesMirrors);
}

function namesMirrors({ mirrors }: PlainTree): boolean {
  return isTree(mirrors) && Object.keys(mirrors).length > 0;
}

const CRI = ["cri", "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.images"];

/** The plugin's name changed with the version of the file (containerd/containerd docs/cri/config.md). */
function keyFor(version: number): KeyPath {
  const plugin =
    version >= 3 ? "io.containerd.cri.v1.images" : version === 2 ? "io.containerd.grpc.v1.cri" : "cri";
  return ["plugins", plugin, "registry", "config_path"];
}

function registriesOf(tree: PlainTree): PlainTree[] {
  return CRI.map((plugin) => valueAt(tree, ["plugins", plugin, "registry"])).filter(isTree);
}

/** `imports` are paths and patterns of names, beside the file where they are not absolute. */
async function importedBy(file: string, { imports }: PlainTree): Promise<PlainTree[]> {
  const patterns = listOf(imports).map((each) => (isAbsolute(each) ? each : join(dirname(file), each)));
  const found = await Promise.all(
    patterns.map(async (pattern) => {
      const names = await namesIn(dirname(pattern));
      return names
        .map((name) => join(dirname(pattern), name))
        .filter((path) => matchesGlob(path, pattern))
        .sort();
    }),
  );
  const trees = await Promise.all(found.flat().map((path) => treeOf(path)));
  return trees.filter((tree) => tree !== undefined);
}

async function treeOf(file: string): Promise<PlainTree | undefined> {
  const found = await readKeptFile(file);
  if (found === undefined) return undefined;
  try {
    return parseToml(found.text.replace(/^\uFEFF/, "")).tree;
  } catch (error) {
    if (!(error instanceof GranaryError)) throw error;
    const text = `${file} is left as it is: ${error.message}.`;
    throw new GranaryError("config-invalid", text, { cause: error, target: file, saysWhatToDo: true });
  }
}

/** Where containerd finds it depends on where it was started. */
function relative(file: string, key: KeyPath, folder: string): GranaryError {
  const text = `${file} is left as it is: ${key.join(".")} is "${folder}", and nobody but containerd knows where that is: write the whole path there.`;
  return new GranaryError("config-invalid", text, { target: file, saysWhatToDo: true });
}

function listOf(value: PlainValue | undefined): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
