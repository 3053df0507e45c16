/**
 * Owns how the Fills of client verbs are run: what they have around them, and the wait for one of them with reports of how far it is.
 * It starts and stops none.
 */
import type { Fill } from "../../fill/fill.ts";
import type { FillSurroundings } from "../../fill/fill-ask.ts";
import type { Room } from "../../fill/room.ts";
import { type Clock, foregroundClock, systemClock, type Timer } from "../../observe/clock.ts";
import { Episodes } from "../../observe/episodes.ts";
import { silentLog } from "../../observe/log.ts";
import { createMetrics } from "../../observe/metrics.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Spool } from "../../store/partial.ts";
import type { Progress } from "./progress.ts";

const REPORT_MS = 100;
/** The first report tells what an earlier run left: it comes when that is known, and before much is added to it. */
const OPENING_MS = 5;

/** The disk is the user's: nothing is removed from it, and nothing added up. What does not fit fails. */
const ROOM: Room = {
  occupies: () => undefined,
  extend: async () => false,
  giveBack: () => undefined,
  release: () => undefined,
};

/** The real time by default, no log, and metrics that nobody reads. */
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
    // By a clock whose timers do not keep the process alive: nobody waits for the end of an episode.
    episodes: new Episodes(silentLog, systemClock),
    metrics: createMetrics(),
    random: Math.random,
    record: async () => undefined,
    takeRoom: () => ROOM,
    pin: () => () => undefined,
  };
}

/** Resolves when `fill` has let go of its files. What `report` throws ends the wait. */
export async function watchFill(fill: Fill, report: (so: Pick<Progress, "done">) => void): Promise<void> {
  const failed = Promise.withResolvers<never>();
  let timer: Timer | undefined;
  const look = () => {
    if (fill.facts.state === "opening") {
      timer = foregroundClock.after(OPENING_MS, look);
      return;
    }
    try {
      report({ done: fill.facts.present });
      timer = foregroundClock.after(REPORT_MS, look);
    } catch (error) {
      failed.reject(error);
    }
  };
  timer = foregroundClock.after(0, look);
  try {
    await Promise.race([fill.ended, failed.promise]);
  } finally {
    timer.cancel();
  }
}
