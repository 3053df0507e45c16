/** Owns how a BuildKit daemon is pointed at Granary: `mirrors` of each registry in buildkitd.toml, and how Granary itself is reached. */
import { dirname, join } from "node:path";
import type { TreeEdit } from "../change.ts";
import { authorityFile, type ClientSetup } from "../client-plan.ts";

export const buildkitSetup: ClientSetup = {
  usualFile: "/etc/buildkit/buildkitd.toml",
  async plan(target, path) {
    const { host, isPlain, ca, wantsLogin, registries } = target;
    const caFile = authorityPath(path);
    const edits: TreeEdit[] = [
      ...registries.map(
        ({ name }) =>
          ({ does: "list", at: ["registry", name, "mirrors"], value: `${host}/${name}` }) as const,
      ),
      ...(isPlain ? [{ does: "set", at: ["registry", host, "http"], value: true } as const] : []),
      ...(ca === undefined ? [] : [{ does: "list", at: ["registry", host, "ca"], value: caFile } as const]),
    ];
    return {
      files: [
        ...(ca === undefined ? [] : [authorityFile(caFile, ca)]),
        { path, change: { format: "toml", edits } },
      ],
      restart: [
        `sudo systemctl restart buildkit; for buildx: docker buildx create --use --buildkitd-config ${path}`,
      ],
      notes: [
        "Builders of the kind docker-container need it; the one that is built into Docker uses the mirrors of Docker.",
        ...(wantsLogin
          ? [`That listener asks for a login: \`docker login ${host}\` where builds are started.`]
          : []),
      ],
    };
  },
  placesOf: async (file) => [file, authorityPath(file)],
};

function authorityPath(file: string): string {
  return join(dirname(file), "granary-ca.crt");
}
