/**
 * Owns how a running server answers about setup and health: by the settings and listeners that it has now. What writes and examines is loaded
 * when somebody asks for it.
 */
import type { Settings } from "../../config/settings.ts";
import type { AdminParts } from "../../http/admin/admin-parts.ts";
import type { Serving } from "../../http/serve.ts";
import type { Mirror } from "../../mirror/mirror.ts";
import { type ReloadPart, renewing } from "../../reloading/reload-part.ts";
import type { OfferedListener } from "../../setup/offered-listener.ts";

export type SetupParts = Pick<AdminParts, "setup" | "doctor"> & { readonly reloadPart: ReloadPart<Settings> };

/** Of a server that listens as `serving` says. */
export function setupParts(started: Settings, serving: Serving, mirror: Pick<Mirror, "status">): SetupParts {
  const now = { settings: started };
  // One by the names of registries is no mirror that a client could be pointed to.
  const listeners = () => serving.listeners.filter(({ entry }) => entry.tlsFromCa !== true).map(offered);
  return {
    setup: {
      listeners,
      blocks: async (client, { address, registries }) => {
        const ask = { serverAddress: address, registry: registries, isElsewhere: true, isOwn: true };
        const { upstreams } = now.settings;
        const { clientBlocks } = await import("../../setup/client-blocks.ts");
        const { mirrorTarget } = await import("../setup/mirror-address.ts");
        return await clientBlocks(
          client,
          await mirrorTarget(client, ask, { listeners: listeners(), upstreams }),
        );
      },
    },
    doctor: {
      examine: shared(async () => {
        const { disk, upstreams } = await mirror.status();
        const away = upstreams.filter(({ offlineSince }) => offlineSince !== undefined);
        const offline = new Set(away.map(({ name }) => name));
        const placed = serving.listeners.map(({ entry, port }) => ({ ...entry, port }));
        const { examine } = await import("../doctor/examine.ts");
        return await examine({ ...now.settings, listeners: placed }, { used: disk.used, offline });
      }),
    },
    reloadPart: renewing(["listeners", "upstreams"], (settings) => {
      now.settings = { ...settings, storage: started.storage };
    }),
  };
}

function offered({
  entry: { host, tls, login, upstream },
  port,
  urls,
}: Serving["listeners"][number]): OfferedListener {
  return { upstream, port, host, urls, certificate: tls?.cert, wantsLogin: login !== undefined };
}

/** Upstreams are asked once for everybody who wants to know at the same time. */
function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}
