/**
 * Owns the composition: settings become one running Mirror. The only file that names concrete drivers. Nothing stays
 * half-started: what was opened before a failure is closed again.
 */
import type { Settings } from "./config/settings.ts";
import { openSqliteMetadata } from "./metadata/sqlite-metadata.ts";
import type { Mirror } from "./mirror/mirror.ts";
import { startMirror } from "./mirror/start-mirror.ts";
import type { Clock } from "./observe/clock.ts";
import type { Log } from "./observe/log.ts";
import type { Metrics } from "./observe/metrics.ts";
import { openDiskBlobs } from "./store/disk-blobs.ts";
import { type HeldLayout, prepareLayout } from "./store/layout.ts";
import { openSpool } from "./store/spool.ts";
import { createUpstreamClient } from "./upstream/client.ts";
import type { UpstreamClient } from "./upstream/upstream-client.ts";
import { version } from "./version.ts";

export type Observers = { readonly log: Log; readonly metrics: Metrics; readonly clock: Clock };

/**
 * Opens the storage directory and everything on it. The caller closes the Mirror, which also lets go of the directory.
 * Throws `config-invalid` (directory not usable, or in use), `store-damaged` (database or layout).
 */
export async function openMirror(settings: Settings, observers: Observers): Promise<Mirror> {
  const layout = await prepareLayout(settings.storage.directory);
  try {
    const mirror = await start(settings, layout, observers);
    return { ...mirror, close: (deadlineMs) => mirror.close(deadlineMs).finally(() => layout.release()) };
  } catch (error) {
    await layout.release();
    throw error;
  }
}

async function start(settings: Settings, layout: HeldLayout, observers: Observers): Promise<Mirror> {
  const metadata = openSqliteMetadata(layout.database);
  const clients: UpstreamClient[] = [];
  try {
    for (const { tls, ...upstream } of settings.upstreams) {
      const userAgent = `granary/${version}`;
      clients.push(
        createUpstreamClient({ upstream, userAgent, ...(tls !== undefined && { tls }), ...observers }),
      );
    }
    return await startMirror({
      ...observers,
      clients,
      metadata,
      blobs: openDiskBlobs(layout),
      spool: openSpool(layout),
      budget: settings.storage,
      random: Math.random,
    });
  } catch (error) {
    await Promise.allSettled(clients.map((client) => client.close()));
    await metadata.close();
    throw error;
  }
}
