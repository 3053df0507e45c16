/**
 * Owns who must give way so that no wait starves (F17): claims that will not reach a waiting reader in time are cut, lanes that hold a
 * place without bringing anything are ended, and where more is waited for than there are lanes, or connections, long
 * claims end early. It starts nothing and fetches nothing.
 */
import type { Claim, Claims } from "./claims.ts";
import type { Lane } from "./lane.ts";
import type { Wait } from "./waits.ts";

export type Scene = {
  readonly now: number;
  /** When a lane of this fill, also one that has ended since, last brought something. */
  readonly servedAt: number | undefined;
  readonly starveMs: number;
  readonly waits: Iterable<Wait>;
  readonly claims: Claims;
  readonly lanes: readonly Lane[];
  /** Lanes that may run now. */
  readonly most: number;
  /** How long a lane may stay at one place, ms; undefined while nobody has to wait for a turn. */
  readonly turnMs: number | undefined;
  /** Other fills wait for the connections of ours. */
  readonly isCrowded: boolean;
};

/** Shrinks claims, and returns the lanes that are to end. */
export function keepPace(scene: Scene): {
  readonly stuck: readonly Lane[];
  readonly surplus: readonly Lane[];
} {
  const { now, starveMs } = scene;
  const parkedFor = (ms: number) => [...scene.waits].filter((wait) => now - wait.parkedAt >= ms);
  uncoverFar(scene, parkedFor(starveMs / 4));
  giveWay(scene, parkedFor(starveMs / 10));
  const stuck = stuckLanes(scene, parkedFor(starveMs / 2));
  return { stuck, surplus: surplusLanes(scene) };
}

/** A wait deep inside a claim that will not get there in time is taken out of it, for another lane to serve. */
function uncoverFar({ claims, now, starveMs }: Scene, hungry: readonly Wait[]): void {
  for (const wait of hungry) {
    const claim = claims.covering(wait.start);
    if (claim !== undefined && claim.msUntil(wait.start, now) > starveMs / 4) claim.shrink(wait.start);
  }
}

/** As many lanes as readers lack one, those that would be longest where they are, come back after one turn. */
function giveWay(scene: Scene, waiting: readonly Wait[]): void {
  const { claims, lanes, most, now, turnMs, isCrowded } = scene;
  if (turnMs === undefined) return;
  const uncovered = waiting.filter((wait) => claims.covering(wait.start) === undefined).length;
  const wanted = isCrowded ? lanes.length : lanes.length < most ? 0 : uncovered;
  const long = begunClaims(lanes).filter((claim) => claim.msUntil(claim.end, now) > turnMs);
  long.sort((a, b) => b.msUntil(b.end, now) - a.msUntil(a.end, now));
  for (const claim of long.slice(0, wanted)) claim.shrink(claim.at + Math.ceil(claim.rate(now) * turnMs));
}

/**
 * A body that brings nothing while somebody waits for it is asked for anew, and with it those that are as silent: their readers would
 * find that out one after another. So is one that keeps the only place for a lane which somebody waits for.
 */
function stuckLanes(scene: Scene, starving: readonly Wait[]): Lane[] {
  const { lanes, claims, most } = scene;
  const silent = lanes.filter((lane) => isSilent(lane, scene));
  const isWaitedFor = silent.some(({ claim }) =>
    starving.some(({ start }) => claim !== undefined && start >= claim.at && start < claim.end),
  );
  const lacksLane =
    lanes.length >= most && starving.some(({ start }) => claims.covering(start) === undefined);
  return isWaitedFor || lacksLane ? silent : [];
}

/**
 * Nothing came for a good part of what a reader can wait. One that never began counts only where somebody was served since it asked:
 * then it stands in a queue that it will not get out of in time, or was never heard.
 */
function isSilent({ claim, servedAt }: Lane, scene: Scene): boolean {
  if (claim === undefined) return false;
  const { now, starveMs } = scene;
  // What was received and is not written yet is the disk's delay, not the origin's.
  const hasBegun = claim.at > claim.start;
  const sinceMs = now - Math.max(claim.claimedAt, hasBegun ? (servedAt ?? 0) : 0);
  return sinceMs >= starveMs / 4 && (hasBegun || (scene.servedAt ?? 0) > claim.claimedAt);
}

/** Lanes over the number that may run, which wait for a connection: what they have claimed is of use to others. */
function surplusLanes({ lanes, most }: Scene): Lane[] {
  const idle = lanes.filter(({ claim }) => claim !== undefined && claim.at === claim.start);
  return idle.slice(0, Math.max(0, lanes.length - most));
}

function begunClaims(lanes: readonly Lane[]): Claim[] {
  return lanes.flatMap(({ claim }) => (claim !== undefined && claim.at > claim.start ? [claim] : []));
}
