/**
 * Owns what the Fills of client verbs have around them: the real time by default, no log, metrics that nobody reads, and no room
 * to be made, for the disk is the user's.
 */
import type { FillSurroundings } from "../../fill/fill.ts";
import type { Room } from "../../fill/room.ts";
import { type Clock, foregroundClock, systemClock } from "../../observe/clock.ts";
import { Episodes } from "../../observe/episodes.ts";
import { silentLog } from "../../observe/log.ts";
import { createMetrics } from "../../observe/metrics.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Spool } from "../../store/partial.ts";

/** Nothing is removed from the user's disk, and nothing added up: what does not fit fails. */
const ROOM: Room = {
  occupies: () => undefined,
  extend: async () => false,
  giveBack: () => undefined,
  release: () => undefined,
};

export function fetchSurroundings(
  spool: Spool,
  blobs: BlobStore,
  clock: Clock = foregroundClock,
): FillSurroundings {
  return {
    spool,
    blobs,
    clock,
    log: silentLog,
    // By a clock whose timers hold no process: nobody waits for the end of an episode.
    episodes: new Episodes(silentLog, systemClock),
    metrics: createMetrics(),
    random: Math.random,
    record: async () => undefined,
    takeRoom: () => ROOM,
    pin: () => () => undefined,
  };
}
