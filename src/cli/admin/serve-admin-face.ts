/**
 * Owns the admin face of `granary serve`: for commands on this machine by the socket in the storage directory, and on the network where the
 * settings say so.
 */
import type { Settings } from "../../config/settings.ts";
import { messageOf } from "../../errors.ts";
import { adminListener } from "../../http/admin/admin-listener.ts";
import { appWhenAsked } from "../../http/admin/app-when-asked.ts";
import { type ServedAdmin, serveAdmin } from "../../http/serve-admin.ts";
import { serveSocket } from "../../http/serve-socket.ts";
import type { Log } from "../../observe/log.ts";
import { type ReloadPart, renewing } from "../../reloading/reload-part.ts";
import { type KeptToken, keepAdminToken, newAdminToken } from "../../store/admin-token.ts";
import { type Layout, layoutOf } from "../../store/layout.ts";
import { adminParts, type ServerParts } from "./parts-of.ts";

export type AdminFace = {
  /** undefined: only the socket is there. */
  readonly listener: ServedAdmin | undefined;
  readonly reloadParts: readonly ReloadPart<Settings>[];
  /** Ends what is being answered. Idempotent. */
  close(): Promise<void>;
};

/** Throws `config-invalid` where the settings name a place that cannot be had; nothing listens then. */
export async function serveAdminFace({ admin, storage }: Settings, parts: ServerParts): Promise<AdminFace> {
  const { log } = parts;
  const layout = layoutOf(storage.directory);
  const areas = adminParts(parts);
  const app = appWhenAsked(async () => (await import("../../http/admin/app.ts")).createAdminApp(areas));
  const keeper = { keepToken: () => keptToken(layout, log), tokenPath: layout.adminToken };
  const listener = admin === undefined ? undefined : await serveAdmin(admin, app, parts, keeper);
  const socket = await serveSocket(layout.socket, adminListener(app), log);
  const close = async () => {
    await Promise.all([socket.close(), listener?.close()]);
  };
  return { listener, reloadParts: listener === undefined ? [] : [reloadPartOf(listener)], close };
}

/** Another port or address, and off, need a restart: whoever looks at the page would lose it. */
function reloadPartOf(listener: ServedAdmin): ReloadPart<Settings> {
  const part = renewing<Settings>(["admin.token", "admin.view", "admin.hosts"], ({ admin }) => {
    if (admin !== undefined) listener.renew(admin);
  });
  return { ...part, canTake: ({ admin }) => admin !== undefined };
}

/** Without room for a file the token is good until this process ends: a full disk is when people want to look. */
async function keptToken(layout: Layout, log: Log): Promise<KeptToken> {
  try {
    return await keepAdminToken(layout);
  } catch (error) {
    log.warn(
      { reason: messageOf(error) },
      "the token of the admin face could not be stored: it is another one after the next start",
    );
    return { token: newAdminToken(), isNew: true };
  }
}
