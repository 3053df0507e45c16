/**
 * Owns how the nodes of a kind cluster are pointed at Granary: a folder of hosts.toml files beside the cluster's configuration, which every
 * node sees where its containerd looks (kubernetes-sigs/kind site/static/examples/kind-with-registry.sh).
 */
import { dirname, join, resolve } from "node:path";
import { authorityFile, type ClientSetup } from "../client-plan.ts";
import { hostsFiles, USUAL_HOSTS_FOLDER } from "../containerd-hosts.ts";
import { NEW_CLUSTER } from "../formats/kind-cluster.ts";
import type { MirrorTarget } from "../mirror-target.ts";

/** kind 0.27 and newer have it in their images; older ones need it. */
const PATCH = `[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${USUAL_HOSTS_FOLDER}"
`;

export const kindSetup: ClientSetup = {
  usualFile: "kind.yaml",
  async plan(target, path) {
    const folder = folderOf(path);
    const { ca } = target;
    const cluster = {
      path,
      begin: NEW_CLUSTER,
      change: {
        format: "kind",
        edits: [
          { does: "mount", hostPath: folder, containerPath: USUAL_HOSTS_FOLDER },
          { does: "list", at: ["containerdConfigPatches"], value: PATCH },
        ],
      },
    } as const;
    return {
      files: [
        ...(ca === undefined ? [] : [authorityFile(join(folder, "granary-ca.crt"), ca)]),
        ...(await hostsFiles(target, folder, USUAL_HOSTS_FOLDER)),
        cluster,
      ],
      restart: [`kind create cluster --config ${path} (a running cluster must be made anew)`],
      notes: notesFor(target),
    };
  },
  placesOf: async (file) => [file, folderOf(file)],
};

function folderOf(file: string): string {
  return join(dirname(resolve(file)), "granary-certs.d");
}

function notesFor({ url }: MirrorTarget): string[] {
  const { hostname } = new URL(url);
  if (!/^(?:localhost|127\.|\[::1\])/.test(hostname)) return [];
  return [
    `Inside of a node ${hostname} is the node itself: name an address of this machine that containers reach, by --server-address.`,
  ];
}
