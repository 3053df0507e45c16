/**
 * Owns how a Docker engine is made to ask for everything through Granary's proxy: `proxies` of its daemon.json (Docker Engine 23), and the proxy's
 * authority in the folder of each registry. Image names stay as they are, of all registries.
 */
import { dirname, join } from "node:path";
import type { ClientPlan } from "../client-plan.ts";
import { dockerAuthorityFiles, HUB_NOTE } from "../trust/client-trust.ts";

/** Granary's proxy, as a client on this machine needs to know it. */
export type ProxyTarget = {
  /** "http://192.0.2.10:3128", without a slash at the end. */
  readonly url: string;
  /** PEM text of its authority. */
  readonly certificate: string;
  /** As they stand in names of images, with their ports: those that the authority signs for. */
  readonly registries: readonly string[];
};

/** Only https goes through it: what Docker asks by plain http stays where it was. A `no-proxy` that is there stays too. */
export function dockerProxyPlan({ url, certificate, registries }: ProxyTarget, file: string): ClientPlan {
  const daemon = {
    path: file,
    change: { format: "json", edits: [{ does: "set", at: ["proxies", "https-proxy"], value: url }] },
  } as const;
  return {
    files: [...dockerAuthorityFiles(join(dirname(file), "certs.d"), registries, certificate), daemon],
    restart: ["sudo systemctl restart docker"],
    notes: [
      "Docker Engine reads proxies in daemon.json from version 23.0 on. An older one does not start with it: take it out again with --undo, trust the authority with granary ca install, and name the proxy by HTTPS_PROXY of its service.",
      "It asks that proxy for every registry. Those that are no upstream of that Granary can be reached only as far as its setting proxy.tunnel says; what Docker should reach directly belongs in no-proxy, beside https-proxy.",
      HUB_NOTE,
    ],
  };
}
