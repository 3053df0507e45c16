/**
 * Owns how Podman, skopeo, buildah and CRI-O are pointed at Granary: mirrors in a drop-in of registries.conf.d. Of several files that have
 * one registry the last counts alone, so a registry that stands in another file gets its mirror there (docs/protocol.md#podman-and-skopeo).
 */
import { basename, dirname, join } from "node:path";
import type { MirrorEdit } from "../change.ts";
import { authorityFile, type ClientSetup } from "../client-plan.ts";
import { entryFor } from "../formats/registries.ts";
import type { MirrorTarget } from "../mirror-target.ts";
import { type RegistryFile, readRegistryFiles } from "../registry-files.ts";

export const podmanSetup: ClientSetup = {
  usualFile: "/etc/containers/registries.conf.d/granary.conf",
  async plan(target, file) {
    const others = (await readRegistryFiles(file)).filter(({ path }) => path !== file);
    const edits = target.registries.map(({ name }) => ({
      path: homeOf(name, file, others),
      edit: mirrorOf(target, name),
    }));
    const files = [...Map.groupBy(edits, ({ path }) => path)].map(([path, found]) => ({
      path,
      change: { format: "registries", edits: found.map(({ edit }) => edit) } as const,
    }));
    const { ca, host } = target;
    return {
      files: [
        ...(ca === undefined ? [] : [authorityFile(join(configFolder(file), "certs.d", host, "ca.crt"), ca)]),
        ...files,
      ],
      restart: [
        "nothing: Podman, skopeo and buildah read it at each start; CRI-O after `sudo systemctl reload crio`",
      ],
      notes: notesFor(target, others),
    };
  },
  placesOf: async (file) => {
    const others = (await readRegistryFiles(file)).map(({ path }) => path);
    return [file, ...others, join(configFolder(file), "certs.d")];
  },
};

/** Of `/etc/containers/registries.conf.d/granary.conf` it is `/etc/containers`. */
function configFolder(file: string): string {
  const folder = dirname(file);
  return basename(folder).endsWith(".d") ? dirname(folder) : folder;
}

function mirrorOf({ host, isPlain }: MirrorTarget, registry: string): MirrorEdit {
  return { does: "mirror", registry, location: `${host}/${registry}`, isInsecure: isPlain };
}

function homeOf(registry: string, file: string, others: readonly RegistryFile[]): string {
  return others.findLast(({ entries }) => entryFor(entries, registry) !== undefined)?.path ?? file;
}

function notesFor({ wantsLogin, host }: MirrorTarget, others: readonly RegistryFile[]): string[] {
  const notes = others
    .filter(({ problem }) => problem !== undefined)
    .map(({ path, problem }) => `${path} cannot be read: ${problem}.`);
  if (wantsLogin)
    notes.push(`That listener asks for a login: \`podman login ${host}\`, as each user who pulls.`);
  return notes;
}
