/**
 * Owns the decision which lanes must give something up so that no reader starves (F17). Claims that will not reach a waiting reader in time
 * are cut. Lanes that are in the way and bring nothing are ended. Where readers wait at more places than there are lanes or connections, long
 * claims end early. It starts no lane and fetches nothing.
 */
import type { Claim, Claims } from "./claims.ts";
import type { Lane } from "./lane.ts";
import type { Wait } from "./waits.ts";

export type Scene = {
  readonly now: number;
  /** When any lane of this fill last received bytes; the lane may have ended since. */
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

/** Where a reader waits far inside a claim whose lane will not get there in time, the claim is cut there, and another lane serves the reader. */
function uncoverFar({ claims, now, starveMs }: Scene, hungry: readonly Wait[]): void {
  for (const wait of hungry) {
    const claim = claims.covering(wait.start);
    if (claim !== undefined && claim.msUntil(wait.start, now) > starveMs / 4) claim.shrink(wait.start);
  }
}

/** Frees one lane for each reader that has none: the lanes with the longest work left stop after one more turn. */
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
 * The lanes to end because they bring nothing. If one silent lane has a waiting reader, all silent lanes end: otherwise each of their readers
 * would have to starve first. The same holds when a reader waits for a free lane, and all lanes are taken.
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
 * True when the lane received nothing for a quarter of starveMs. A lane without a first byte counts only if another one received bytes after
 * it asked: then the origin is working, but this request is far back in a queue or was lost.
 */
function isSilent({ claim, servedAt, isHeld }: Lane, scene: Scene): boolean {
  if (claim === undefined || isHeld) return false;
  const { now, starveMs } = scene;
  // Bytes that were received but are not written yet wait for the disk, not for the origin.
  const hasBegun = claim.at > claim.start;
  const sinceMs = now - Math.max(claim.claimedAt, hasBegun ? (servedAt ?? 0) : 0);
  return sinceMs >= starveMs / 4 && (hasBegun || (scene.servedAt ?? 0) > claim.claimedAt);
}

/** Lanes above the permitted number that still wait for a connection: other lanes can fetch what they have claimed. */
function surplusLanes({ lanes, most }: Scene): Lane[] {
  const idle = lanes.filter(({ claim }) => claim !== undefined && claim.at === claim.start);
  return idle.slice(0, Math.max(0, lanes.length - most));
}

function begunClaims(lanes: readonly Lane[]): Claim[] {
  return lanes.flatMap(({ claim }) => (claim !== undefined && claim.at > claim.start ? [claim] : []));
}
