/** Owns which part of a process answers which area of the admin face: in a running server, and in a directory that is opened alone. */
import { GranaryError } from "../../errors.ts";
import type { AdminParts } from "../../http/admin/admin-parts.ts";
import type { Observers } from "../../observe/observers.ts";
import type { OpenedCache } from "../../open.ts";

export type ServerParts = Observers & {
  readonly cache: OpenedCache;
  /** undefined where a directory is opened alone: there is no process whose settings could change. */
  readonly reload?: AdminParts["settings"]["reload"];
  /** Left out where nothing listens. */
  readonly clients?: Pick<AdminParts, "setup" | "doctor">;
};

/** Areas that the cache itself has a port for need no line here: they have the same name there. */
export function adminParts({
  cache,
  reload = reloadNothing,
  clients = nobodyListens,
  log,
  clock,
}: ServerParts): AdminParts {
  return { ...cache, mirror: cache, ...clients, settings: { reload }, log, clock, startedAt: clock.now() };
}

async function reloadNothing(): Promise<never> {
  throw new GranaryError("config-invalid", "No server runs here whose settings could be read again.");
}

/** A directory that is opened alone has no listeners, and whoever opens it looks at the rest itself. */
const nobodyListens: Pick<AdminParts, "setup" | "doctor"> = {
  setup: {
    listeners: () => [],
    blocks: async () => {
      throw new GranaryError("config-invalid", "No server runs here that clients could be pointed at.");
    },
  },
  doctor: { examine: async () => [] },
};
