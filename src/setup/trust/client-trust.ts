/**
 * Owns how Docker and containerd are made to trust an authority for single registries: a file in the folder of each. The name of the file is one
 * that nobody else uses, so an authority that lies there already stays, and is trusted as well.
 */
import { dirname, join } from "node:path";
import { lookAt, namesIn } from "../../files/disk.ts";
import type { FileChange } from "../change.ts";
import { authorityFile } from "../client-plan.ts";
import { readContainerdConfig } from "../containerd-config.ts";
import { hostsFolderName, USUAL_HOSTS_FOLDER } from "../containerd-hosts.ts";
import type { TrustSetup } from "./trust-plan.ts";

const NAME = "granary-ca.crt";
const DOCKER_FOLDER = "/etc/docker/certs.d";

/** The engine's classic store asks Docker Hub by the machine's own list alone (moby/moby registry/service_v2.go). */
export const HUB_NOTE =
  "For Docker Hub, Docker looks there only with its containerd image store. With the older store it asks the list of the machine: let that trust the authority too (sudo granary ca install, then sudo systemctl restart docker).";

export const dockerTrust: TrustSetup = {
  plan: async ({ certificate, registries }, root) => ({
    files: dockerAuthorityFiles(join(root, DOCKER_FOLDER), registries, certificate),
    after: [],
    notes: ["Docker reads these files at each pull.", ...(registries.some(isHub) ? [HUB_NOTE] : [])],
  }),
  undo: (root) => undoIn(join(root, DOCKER_FOLDER)),
};

/** `folder` is the one in which Docker looks for a folder of each registry. */
export function dockerAuthorityFiles(
  folder: string,
  registries: readonly string[],
  certificate: string,
): FileChange[] {
  return registries.map((name) => authorityFile(join(folder, name, NAME), certificate));
}

function isHub(registry: string): boolean {
  return /^(?:docker\.io|registry-1\.docker\.io|index\.docker\.io)$/.test(registry);
}

/** Where a registry has a hosts.toml, containerd looks for no other files there: that one has to name the authority. */
export const containerdTrust: TrustSetup = {
  async plan({ certificate, registries }, root) {
    const folder = await hostsFolder(root);
    const places = registries.map((name) => join(folder, hostsFolderName(name)));
    const found = await Promise.all(places.map((place) => lookAt(join(place, "hosts.toml"))));
    const named = places.filter((_, at) => found[at] !== undefined).map((place) => join(place, "hosts.toml"));
    return {
      files: places.map((place) => authorityFile(join(place, NAME), certificate)),
      after: [],
      notes: [
        "containerd reads these files at each pull; Kubernetes only where config_path names their folder (granary setup containerd does that).",
        ...named.map(
          (file) =>
            `${file} is there and left as it is: for its server, write ca = "${join(dirname(file), NAME)}" at its top.`,
        ),
      ],
    };
  },
  undo: async (root) => await undoIn(await hostsFolder(root)),
};

/** The folder that the configuration names, as it lies below `root`. */
async function hostsFolder(root: string): Promise<string> {
  const { folder } = await readContainerdConfig(join(root, "/etc/containerd/config.toml"));
  return join(root, folder ?? USUAL_HOSTS_FOLDER);
}

async function undoIn(folder: string) {
  const places = (await namesIn(folder)).map((name) => join(folder, name, NAME));
  return { places, before: [], after: [] };
}
