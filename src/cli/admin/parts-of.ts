/** Owns which part of a process answers which area of the admin face: in a running server, and in a directory that is opened alone. */
import type { Settings } from "../../config/settings.ts";
import { shownSettings } from "../../config/shown-settings.ts";
import { GranaryError } from "../../errors.ts";
import type { AdminParts } from "../../http/admin/admin-parts.ts";
import type { Observers } from "../../observe/observers.ts";
import type { OpenedCache } from "../../open.ts";
import type { SettingsReload } from "../reload-settings.ts";

export type ServerParts = Observers & {
  readonly cache: OpenedCache;
  /** Those of the process; where a directory is opened alone there is none whose settings could change. */
  readonly settings: Settings | SettingsReload;
  /** Left out where nothing listens. */
  readonly clients?: Pick<AdminParts, "setup" | "doctor">;
  /** Set where there can be a proxy. */
  readonly authority?: AdminParts["authority"];
};

/** Areas that the cache itself has a port for need no line here: they have the same name there. */
export function adminParts({
  cache,
  settings,
  clients = nobodyListens,
  authority,
  log,
  clock,
}: ServerParts): AdminParts {
  const desk = settingsDesk(settings);
  return {
    ...cache,
    mirror: cache,
    ...clients,
    authority,
    settings: desk,
    log,
    clock,
    startedAt: clock.now(),
  };
}

function settingsDesk(settings: Settings | SettingsReload): AdminParts["settings"] {
  if (!("run" in settings))
    return { reload: reloadNothing, shown: () => ({ settings: shownSettings(settings), needRestart: [] }) };
  const shown = () => {
    const { settings: current, needRestart } = settings.current();
    return { settings: shownSettings(current), needRestart: needRestart.map(({ key }) => key) };
  };
  return { reload: settings.run, shown };
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
