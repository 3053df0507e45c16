/** Owns how k3s and RKE2 are pointed at Granary: `mirrors` of registries.yaml, from which they make containerd's hosts.toml files. */
import { dirname, join } from "node:path";
import type { PlainTree, TreeEdit } from "../change.ts";
import { authorityFile, type ClientSetup } from "../client-plan.ts";
import type { MirrorTarget } from "../mirror-target.ts";

export const k3sSetup: ClientSetup = {
  usualFile: "/etc/rancher/k3s/registries.yaml",
  async plan(target, path) {
    const { url, ca, login, registries } = target;
    const caFile = authorityPath(path);
    const mirrors: TreeEdit[] = registries.map(({ name }) => ({
      does: "list",
      at: ["mirrors", name, "endpoint"],
      value: url,
    }));
    const edits = [...mirrors, ...configsOf(target, caFile)];
    return {
      files: [
        ...(ca === undefined ? [] : [authorityFile(caFile, ca)]),
        { path, change: { format: "yaml", edits }, isSecret: login !== undefined },
      ],
      restart: ["sudo systemctl restart k3s (on agents: k3s-agent; RKE2: rke2-server, rke2-agent)"],
      notes: [
        "It is needed on every node. RKE2 has the same file as /etc/rancher/rke2/registries.yaml: name it by --file.",
      ],
    };
  },
  placesOf: async (file) => [file, authorityPath(file)],
};

function authorityPath(file: string): string {
  return join(dirname(file), "granary-ca.crt");
}

function configsOf({ host, ca, login }: MirrorTarget, caFile: string): TreeEdit[] {
  const auth: PlainTree = login === undefined ? {} : { username: login.username, password: login.password };
  return [
    ...(ca === undefined
      ? []
      : [{ does: "set", at: ["configs", host, "tls", "ca_file"], value: caFile } as const]),
    ...(login === undefined ? [] : [{ does: "set", at: ["configs", host, "auth"], value: auth } as const]),
  ];
}
