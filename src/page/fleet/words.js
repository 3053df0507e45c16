/** Owns how the page says how a node of a fleet is, and what a lease is for. Pure. */
import { duration, nameOf } from "../format.js";

/** @typedef {import("../../http/admin/routes/fleet-shapes.ts").FleetAnswer} FleetAnswer */

/** Of a heartbeat that comes each second. */
const LATE_MS = 2_500;

/**
 * The mark, and the state in a few words.
 * @param {Pick<FleetAnswer["nodes"][number], "isLive" | "silentMs">} node
 * @param {boolean} isNow false: as it was when the database told of it last
 * @returns {readonly [string, string]}
 */
export function stateOfNode({ isLive, silentMs }, isNow) {
  if (!isNow) return ["quiet", isLive ? "was live" : "was gone"];
  if (!isLive) return ["bad", `gone, silent for ${duration(silentMs)}`];
  return silentMs < LATE_MS ? ["good", "live"] : ["note", `silent for ${duration(silentMs)}`];
}

/**
 * What is done, and of what.
 * @param {FleetAnswer["leases"][number]} lease
 * @returns {readonly [string, string]}
 */
export function purposeOf({ kind, upstream, repository, tag, key = "" }) {
  if (kind === "janitor") return ["tidies", "the bucket"];
  if (kind === "schedule") return ["begins", "what is scheduled"];
  if (kind === "tag") return ["asks for", nameIn({ upstream, repository, tag })];
  if (kind === "other") return ["does", key];
  const name = repository === undefined ? "a blob" : nameIn({ upstream, repository });
  return [kind === "fill" ? "fills" : "shares", name];
}

/** @param {{ readonly upstream: string | undefined, readonly repository: string | undefined, readonly tag?: string | undefined }} of */
function nameIn({ upstream = "", repository = "", tag }) {
  return nameOf({ upstream, repository, tag });
}
