/** Owns a storage directory that a command opens itself, where no server runs: the admin face over it, in this process. */
import { findConfig } from "../../config/find-config.ts";
import { loadWithoutSecrets } from "../../config/load.ts";
import type { Settings } from "../../config/settings.ts";
import { createAdminApp } from "../../http/admin/app.ts";
import { foregroundClock } from "../../observe/clock.ts";
import { silentLog } from "../../observe/log.ts";
import { createMetrics } from "../../observe/metrics.ts";
import { openAtRest } from "../../open.ts";
import type { AdminWay } from "./admin-client.ts";
import type { AdminFlags } from "./admin-options.ts";
import { adminParts } from "./parts-of.ts";
import { inProcessWay } from "./ways.ts";

export type Alone = { readonly way: AdminWay; close(): Promise<void> };

/** Throws `config-invalid` where there is no storage directory or another process has it, `store-damaged`. The caller calls `close`. */
export async function openAlone(directory: string, flags: AdminFlags): Promise<Alone> {
  const observers = { log: silentLog, metrics: createMetrics(), clock: foregroundClock };
  const settings = await settingsFor(directory, flags);
  const mirror = await openAtRest(settings, observers);
  const app = createAdminApp(adminParts({ cache: mirror, settings, ...observers }));
  return { way: inProcessWay(app, directory), close: () => mirror.close(0) };
}

/** The upstreams are those of the configuration. One that nobody named does not stop who says which directory is meant. */
export async function settingsFor(directory: string, flags: AdminFlags): Promise<Settings> {
  const file = await findConfig(flags.config, process.env);
  const settings = await loadWithoutSecrets(file, process.env).catch((error: unknown) => {
    if (flags.config !== undefined || flags.directory === undefined) throw error;
    return loadWithoutSecrets(undefined, process.env);
  });
  return { ...settings, storage: { ...settings.storage, directory } };
}
