/**
 * Owns how the nodes of a kind cluster are pointed at Granary: a folder of hosts.toml files beside the cluster's configuration, or the one that
 * is mounted already, which every node sees where its containerd looks (kubernetes-sigs/kind site/static/examples/kind-with-registry.sh).
 */
import { dirname, join, resolve } from "node:path";
import { GranaryError } from "../../errors.ts";
import { authorityFile, type ClientSetup } from "../client-plan.ts";
import { hostsFiles, USUAL_HOSTS_FOLDER } from "../containerd-hosts.ts";
import { NEW_CLUSTER } from "../formats/kind-cluster.ts";
import { readKindConfig } from "../kind-config.ts";
import type { MirrorTarget } from "../mirror-target.ts";

/**
 * kind 0.27 and newer have it in their images; older ones need it. With a version it is left out where it does not fit the nodes' own
 * configuration (kubernetes-sigs/kind pkg/internal/patch/toml.go).
 */
const PATCH = `version = 2
[plugins."io.containerd.grpc.v1.cri".registry]
  config_path = "${USUAL_HOSTS_FOLDER}"
`;

export const kindSetup: ClientSetup = {
  usualFile: "kind.yaml",
  async plan(target, path) {
    const config = await readKindConfig(path);
    if (config.hasOldMirrors) throw oldMirrors(path);
    const folder = config.folder ?? folderOf(path);
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
  async placesOf(file) {
    const { folder } = await readKindConfig(file);
    return [file, folderOf(file), ...(folder === undefined ? [] : [folder])];
  },
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

function oldMirrors(file: string): GranaryError {
  const text = `${file} names mirrors in the older form (registry.mirrors in containerdConfigPatches), and the nodes' containerd does not start with both: move them to hosts.toml files, remove them there, then run this again.`;
  return new GranaryError("config-invalid", text, { target: file, saysWhatToDo: true });
}
