/** Owns the folder of hosts.toml files that containerd, nerdctl and kind read: one for each registry (docs/protocol.md#containerd). */
import { join } from "node:path";
import { lookAt } from "../files/disk.ts";
import type { FileChange, PlainTree } from "./change.ts";
import { basicOf, type MirroredRegistry, type MirrorTarget } from "./mirror-target.ts";

/** Where a new folder is looked for in the clients' own documentation. */
export const USUAL_HOSTS_FOLDER = "/etc/containerd/certs.d";

/**
 * The files in `folder` that make `target` the first host of its registries. `seenAs` is where the client sees the folder. A `server`
 * that is there stays: it is asked when Granary fails.
 */
export async function hostsFiles(
  target: MirrorTarget,
  folder: string,
  seenAs = folder,
): Promise<FileChange[]> {
  const authority = target.ca === undefined ? undefined : join(seenAs, "granary-ca.crt");
  return await Promise.all(
    target.registries.map((registry) => hostsFile(target, registry, folder, authority)),
  );
}

async function hostsFile(
  target: MirrorTarget,
  registry: MirroredRegistry,
  folder: string,
  authority: string | undefined,
): Promise<FileChange> {
  const { url, login } = target;
  const value: PlainTree = {
    capabilities: ["pull", "resolve"],
    ...(authority !== undefined && { ca: authority }),
    ...(login !== undefined && { header: { Authorization: basicOf(login) } }),
  };
  return {
    path: join(folder, await folderNameOf(folder, registry.name), "hosts.toml"),
    begin: `server = "${registry.server}"\n`,
    change: { format: "toml", edits: [{ does: "set", at: ["host", url], value }] },
    isSecret: login !== undefined,
  };
}

/** A port is written `host_5000_`; a folder with a colon counts as well, where it is there already. */
async function folderNameOf(folder: string, name: string): Promise<string> {
  const safe = hostsFolderName(name);
  if (safe === name || (await lookAt(join(folder, safe))) !== undefined) return safe;
  return (await lookAt(join(folder, name))) === undefined ? safe : name;
}

/** The name that containerd looks for first. */
export function hostsFolderName(registry: string): string {
  return registry.replace(/:(\d+)$/, "_$1_");
}
