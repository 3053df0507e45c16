/** Owns how commands say how a fleet is: its nodes, what a lease is for, its database. Pure. */
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import type { FleetAnswer } from "../../http/admin/routes/fleet-shapes.ts";
import type { Status } from "../../http/admin/routes/status-routes.ts";

type Brief = NonNullable<Status["fleet"]>;
type Node = FleetAnswer["nodes"][number];
type Lease = FleetAnswer["leases"][number];

/** Of a heartbeat that comes each second. */
const LATE_MS = 2_500;

/** "3 nodes, 2 live; this is a". */
export function briefWords({ node, nodes, live, database }: Brief, now: number): string {
  const away = database.isAnswering ? "" : `; ${databaseWords(database, now)}`;
  return `${nodes} node${nodes === 1 ? "" : "s"}, ${live} live; this is ${node}${away}`;
}

/** `now`: epoch ms. */
export function databaseWords({ isAnswering, since }: Brief["database"], now: number): string {
  const forMs = formatDuration(Math.max(0, now - since));
  return isAnswering
    ? "answers"
    : `the database has not answered this node for ${forMs}: it goes on alone until then`;
}

/** "live", "silent for 3s", "gone, silent for 12s". */
export function nodeStateWords({ isLive, silentMs }: Pick<Node, "isLive" | "silentMs">): string {
  const silent = `silent for ${formatDuration(silentMs)}`;
  if (!isLive) return `gone, ${silent}`;
  return silentMs < LATE_MS ? "live" : silent;
}

/** "120GiB of 200GiB". */
export function storedWords({ stored, budget }: Node["state"]): string {
  if (stored === undefined) return "";
  return budget === undefined ? formatBytes(stored) : `${formatBytes(stored)} of ${formatBytes(budget)}`;
}

/** What a lease is for: "fills", "docker.io/library/alpine sha256:...". */
export function leaseWords(lease: Lease): { readonly does: string; readonly what: string } {
  const { kind, upstream, repository, tag, digest, key = "" } = lease;
  const name = [upstream, repository].filter((part) => part !== undefined).join("/");
  if (kind === "janitor") return { does: "tidies", what: "the bucket" };
  if (kind === "schedule") return { does: "begins", what: "what is scheduled" };
  if (kind === "tag") return { does: "asks", what: `${name}:${tag}` };
  if (kind === "other") return { does: "", what: key };
  return { does: kind === "fill" ? "fills" : "shares", what: [name, digest].filter(Boolean).join(" ") };
}
