/** Owns how a Docker engine is pointed at Granary: `registry-mirrors` of its daemon.json, for Docker Hub alone (docs/protocol.md#docker). */
import { dirname, join } from "node:path";
import { GranaryError } from "../../errors.ts";
import { authorityFile, type ClientSetup } from "../client-plan.ts";
import type { MirrorTarget } from "../mirror-target.ts";

export const dockerSetup: ClientSetup = {
  usualFile: "/etc/docker/daemon.json",
  async plan(target, file) {
    refuseLogin(target);
    const { url, ca } = target;
    const mirror = {
      path: file,
      change: { format: "json", edits: [{ does: "list", at: ["registry-mirrors"], value: url }] },
    } as const;
    return {
      files: [...(ca === undefined ? [] : [authorityFile(authorityPath(file, target), ca)]), mirror],
      restart: ["sudo systemctl reload docker"],
      notes: [
        "Docker asks a mirror for images of Docker Hub alone; images of other registries come from these directly.",
      ],
    };
  },
  placesOf: async (file) => [file, join(dirname(file), "certs.d")],
};

/** Docker has no login for a mirror, and up to 28 it offers the one of Docker Hub (docs/protocol.md#docker-logins). */
function refuseLogin({ wantsLogin, url }: MirrorTarget): void {
  if (!wantsLogin) return;
  throw new GranaryError(
    "config-invalid",
    `Docker cannot use ${url} as a mirror: that listener asks for a login, and Docker has none to give to a mirror. Give Granary a second listener without a login, or let only Podman and containerd use this one.`,
    { saysWhatToDo: true },
  );
}

function authorityPath(file: string, { host }: MirrorTarget): string {
  return join(dirname(file), "certs.d", host, "ca.crt");
}
