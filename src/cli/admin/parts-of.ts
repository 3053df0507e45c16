/** Owns which part of a process answers which area of the admin face: in a running server, and in a directory that is opened alone. */
import type { AdminParts } from "../../http/admin/admin-parts.ts";
import type { Observers } from "../../observe/observers.ts";
import type { OpenedCache } from "../../open.ts";

export type ServerParts = Observers & { readonly cache: OpenedCache };

export function adminParts({ cache, log, clock }: ServerParts): AdminParts {
  return { mirror: cache, log, clock, startedAt: clock.now() };
}
