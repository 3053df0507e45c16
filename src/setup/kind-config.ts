/**
 * Owns what a kind cluster's configuration says about registries already: the folder that its nodes see as that of hosts.toml files, and
 * mirrors in containerd's older form. It changes nothing.
 */
import { isAbsolute } from "node:path";
import { GranaryError } from "../errors.ts";
import { readKeptFile } from "../files/kept-file.ts";
import type { PlainTree, PlainValue } from "./change.ts";
import { hasOldMirrors } from "./containerd-config.ts";
import { USUAL_HOSTS_FOLDER } from "./containerd-hosts.ts";
import { parseTomlTree, parseYamlTree } from "./read-config.ts";
import { isTree, valueAt } from "./tree-edits.ts";

export type KindConfig = {
  /** The folder of this machine that nodes see there; undefined where none is mounted. */
  readonly folder: string | undefined;
  /** A patch names mirrors in the older form, beside which no folder may be named. */
  readonly hasOldMirrors: boolean;
};

/** Throws `config-invalid` with the file's name, `path-invalid`. */
export async function readKindConfig(file: string): Promise<KindConfig> {
  const found = await readKeptFile(file);
  if (found === undefined) return { folder: undefined, hasOldMirrors: false };
  const tree = readable(file, () => parseYamlTree(found.text));
  const folders = new Set(listAt(tree, "nodes").flatMap((node) => (isTree(node) ? mountedIn(node) : [])));
  const [folder] = folders;
  if (folders.size > 1 || (folder !== undefined && !isAbsolute(folder))) throw unclear(file, [...folders]);
  const patches = listAt(tree, "containerdConfigPatches").filter((patch) => typeof patch === "string");
  return {
    folder,
    hasOldMirrors: patches.some((patch) => hasOldMirrors(readable(file, () => parseTomlTree(patch)))),
  };
}

function mountedIn(node: PlainTree): string[] {
  return listAt(node, "extraMounts").flatMap((mount) => {
    if (!isTree(mount) || mount.containerPath !== USUAL_HOSTS_FOLDER) return [];
    return typeof mount.hostPath === "string" ? [mount.hostPath] : [];
  });
}

function listAt(tree: PlainTree, key: string): readonly PlainValue[] {
  const found = valueAt(tree, [key]);
  return Array.isArray(found) ? found : [];
}

function readable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GranaryError)) throw error;
    const text = `${file} is left as it is: ${error.message}.`;
    throw new GranaryError("config-invalid", text, { cause: error, target: file, saysWhatToDo: true });
  }
}

/** Which folder a relative path means depends on where kind is started. */
function unclear(file: string, folders: readonly string[]): GranaryError {
  const text = `${file} mounts ${folders.join(" and ")} at ${USUAL_HOSTS_FOLDER}: mount one folder there for all nodes, by its whole path.`;
  return new GranaryError("config-invalid", text, { target: file, saysWhatToDo: true });
}
