/**
 * Owns how containerd, and with it Kubernetes and nerdctl, is pointed at Granary: a hosts.toml for each registry, and the one key of
 * config.toml without which Kubernetes reads none of them.
 */
import { dirname, join } from "node:path";
import { GranaryError } from "../../errors.ts";
import type { FileChange } from "../change.ts";
import { authorityFile, type ClientSetup } from "../client-plan.ts";
import { type ContainerdConfig, readContainerdConfig } from "../containerd-config.ts";
import { hostsFiles } from "../containerd-hosts.ts";

export const containerdSetup: ClientSetup = {
  usualFile: "/etc/containerd/config.toml",
  async plan(target, file) {
    const config = await readContainerdConfig(file);
    if (config.hasOldMirrors) throw oldMirrors(file, config);
    const folder = config.folder ?? join(dirname(file), "certs.d");
    const { ca } = target;
    const authority = ca === undefined ? [] : [authorityFile(join(folder, "granary-ca.crt"), ca)];
    return {
      files: [...authority, ...(await hostsFiles(target, folder)), ...configFile(file, config, folder)],
      restart: needsConfig(config) ? ["sudo systemctl restart containerd"] : [],
      notes: notesFor(file, config, folder),
    };
  },
  async placesOf(file) {
    // One that cannot be read now stops nobody from undoing what was done beside it.
    const { folder } = (await readContainerdConfig(file).catch(() => undefined)) ?? {};
    return [file, join(dirname(file), "certs.d"), ...(folder === undefined ? [] : [folder])];
  },
};

function needsConfig({ folder, isCriOff }: ContainerdConfig): boolean {
  return folder === undefined && !isCriOff;
}

function configFile(path: string, config: ContainerdConfig, folder: string): FileChange[] {
  if (!needsConfig(config)) return [];
  const change = { format: "toml", edits: [{ does: "set", at: config.key, value: folder }] } as const;
  return [{ path, change, begin: "version = 2\n" }];
}

function notesFor(file: string, config: ContainerdConfig, folder: string): string[] {
  const notes = [`hosts.toml files are read at each pull. \`ctr\` reads them with --hosts-dir ${folder}.`];
  if (config.isCriOff)
    notes.push(
      `${file} switches the CRI plugin off, so it is left as it is: Kubernetes does not use this containerd.`,
    );
  if (config.isSeveral)
    notes.push(
      `config_path names several folders with colons between them, and some releases of containerd then read none (containerd/containerd#12808): name ${folder} alone there.`,
    );
  return notes;
}

function oldMirrors(file: string, { key }: ContainerdConfig): GranaryError {
  const table = key.slice(0, -1).join(".");
  const text = `${file} names mirrors in the older form (${table}.mirrors), and containerd does not start with both: move them to hosts.toml files, remove them there, then run this again.`;
  return new GranaryError("config-invalid", text, { target: file, saysWhatToDo: true });
}
