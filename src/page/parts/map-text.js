/** Owns what the map of a blob says, as a text: the same for who cannot see it. Pure. */
import { counted, percent, size } from "../format.js";
import { isSizeKnown } from "./map-columns.js";

/** @typedef {import("./map-columns.js").Mapped} Mapped */

/** Further ones are a number: a list of hundreds tells nobody anything. */
const MOST_PLACES = 3;

/**
 * "60 % is here: the first 48 %, 50 % to 53 % and 4 more pieces. 6 connections write, at 48 %, 53 %. 2 clients read, at 48 %; all of them wait."
 * @param {Mapped & { readonly lanes: number, readonly readers: number, readonly waits: number }} fill
 */
export function mapText(fill) {
  const { lanes, readers, waits, lanesAt, readersAt } = fill;
  const writing =
    lanes > 0 &&
    `${counted(lanes, "connection")} ${lanes === 1 ? "writes" : "write"}${placesOf(fill, lanesAt)}`;
  const waiting =
    waits > 0
      ? `; ${waits === readers ? "all of them wait" : `${waits} of them ${waits === 1 ? "waits" : "wait"}`} for bytes that are not here`
      : "";
  const reading =
    readers > 0 &&
    `${counted(readers, "client")} ${readers === 1 ? "reads" : "read"}${placesOf(fill, readersAt)}${waiting}`;
  return [hereText(fill), writing, reading]
    .filter((sentence) => sentence !== false)
    .map((sentence) => `${sentence}.`)
    .join(" ");
}

/** @param {Mapped} fill */
function hereText(fill) {
  const { runs, cells, present, size: all } = fill;
  if (present === 0) return "Nothing is here yet";
  if (!isSizeKnown(fill)) return `${size(present)} are here; how large it is in all is not known yet`;
  if (present >= all) return "All of it is here";
  const here = `${share(present, all)} is here`;
  if (cells !== undefined) return `${here}, in many pieces`;
  const pieces = runs
    .slice(0, MOST_PLACES)
    .map(({ start, end }) =>
      start === 0 ? beginning(end, all) : `${percent(start, all)} to ${percent(end, all)}`,
    );
  const more = runs.length - pieces.length;
  return `${here}: ${pieces.join(", ")}${more > 0 ? ` and ${counted(more, "more piece", "more pieces")}` : ""}`;
}

/** @param {number} part @param {number} whole */
function share(part, whole) {
  return part * 100 < whole ? "Less than 1 %" : percent(part, whole);
}

/** @param {number} end @param {number} whole */
function beginning(end, whole) {
  return end * 100 < whole ? "the first bytes" : `the first ${percent(end, whole)}`;
}

/** @param {Mapped} fill @param {readonly number[]} places */
function placesOf(fill, places) {
  if (!isSizeKnown(fill) || places.length === 0) return "";
  const named = [...new Set(places.map((at) => percent(at, fill.size)))];
  return `, at ${named.slice(0, MOST_PLACES).join(", ")}${named.length > MOST_PLACES ? " and elsewhere" : ""}`;
}
