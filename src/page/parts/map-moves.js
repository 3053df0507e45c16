/**
 * Owns what moves on a map between two snapshots: the bytes that each connection brought in between, and where the readers were before.
 * Nothing is guessed: a mark moves from where it was to where it is, and is there when the next snapshot comes. Pure.
 */
import { isHere } from "./map-columns.js";

/** @typedef {import("./map-columns.js").Mapped} Mapped */
/** In bytes. @typedef {{ readonly from: number, readonly to: number }} Move */
/** @typedef {Move & { readonly isWaiting: boolean }} ReaderMove */

/**
 * What each lane wrote since `before`: the newest end of the run that it writes at the end of. A lane of which that is not known stands still.
 * @param {Mapped} now
 * @param {Mapped | undefined} before
 * @returns {Move[]}
 */
export function laneMoves(now, before) {
  const isExact = before !== undefined && before.cells === undefined && now.cells === undefined;
  return now.lanesAt.map((to) => {
    const run = isExact ? now.runs.find(({ start, end }) => start < to && to <= end) : undefined;
    if (run === undefined || before === undefined) return { from: to, to };
    const ends = before.runs.map(({ end }) => end).filter((end) => end > run.start && end <= to);
    return { from: Math.max(run.start, ...ends), to };
  });
}

/**
 * @param {Mapped} now
 * @param {Mapped | undefined} before
 * @returns {ReaderMove[]}
 */
export function readerMoves(now, before) {
  const isSameCrowd = before?.readersAt.length === now.readersAt.length;
  return now.readersAt.map((to, index) => {
    const was = isSameCrowd ? (before?.readersAt[index] ?? to) : to;
    return { from: was < to ? was : to, to, isWaiting: !isHere(now, to) };
  });
}
