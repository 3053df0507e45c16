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

/** A reader is expected to be late when it will have waited for this part of starveMs: the rest is reserve for lines that get slower. */
const LATE = 0.6;
/** A claim with little more than a turn left is not cut: another connection would take as long, and lose what is under way on this one. */
const LITTLE_MORE = 1.5;

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

/**
 * How fast lanes are is judged as of the last bytes that came for any of them. Where nothing comes at all, the line stands still or this
 * process is late: that shows nothing of one lane, and it is no reason to cut it.
 */
function seenAt({ now, servedAt }: Scene): number {
  return Math.min(now, servedAt ?? now);
}

/** Where a reader waits far inside a claim whose lane will not get there in time, the claim is cut there, and another lane serves the reader. */
function uncoverFar(scene: Scene, hungry: readonly Wait[]): void {
  const { claims, starveMs } = scene;
  const seen = seenAt(scene);
  for (const wait of hungry) {
    const claim = claims.covering(wait.start);
    if (claim !== undefined && claim.msUntil(wait.start, seen) > starveMs / 4) claim.shrink(wait.start);
  }
}

/**
 * Frees one lane for each place at which a reader would wait too long for one: the lanes with the longest work left stop after one more turn.
 * Where other fills wait for connections, every lane does: how long they have waited is not known here.
 */
function giveWay(scene: Scene, waiting: readonly Wait[]): void {
  const { lanes, turnMs, isCrowded } = scene;
  if (turnMs === undefined) return;
  const seen = seenAt(scene);
  const wanted = isCrowded ? lanes.length : lateWaits(scene, waiting, turnMs);
  const long = begunClaims(lanes).filter((claim) => claim.msUntil(claim.end, seen) > LITTLE_MORE * turnMs);
  long.sort((a, b) => b.msUntil(b.end, seen) - a.msUntil(a.end, seen));
  for (const claim of long.slice(0, wanted)) claim.shrink(claim.at + Math.ceil(claim.rate(seen) * turnMs));
}

/** At how many places that no lane serves a reader would wait too long, if lanes finish what they have and then serve the oldest first. */
function lateWaits(scene: Scene, waiting: readonly Wait[], turnMs: number): number {
  const { claims, lanes, most, now, starveMs } = scene;
  if (lanes.length < most) return 0;
  const seen = seenAt(scene);
  // A lane without a first byte is expected to take a turn.
  const freeIn = lanes.map(({ claim }) =>
    claim && claim.at > claim.start ? claim.msUntil(claim.end, seen) : turnMs,
  );
  let late = 0;
  const places = new Set<number>();
  for (const { start, parkedAt } of waiting) {
    if (places.has(start) || claims.covering(start) !== undefined) continue;
    places.add(start);
    const next = freeIn.indexOf(Math.min(...freeIn));
    if (now - parkedAt + (freeIn[next] ?? 0) > starveMs * LATE) late += 1;
    freeIn[next] = (freeIn[next] ?? 0) + turnMs;
  }
  return late;
}

/**
 * The lanes to end because they bring nothing while others do. If one of them has a waiting reader, all of them end: otherwise each of their
 * readers would have to starve first. The same holds when a reader waits for a free lane and all lanes are taken.
 */
function stuckLanes(scene: Scene, starving: readonly Wait[]): readonly Lane[] {
  const { lanes, claims, most } = scene;
  const silent = lanes.filter((lane) => isSilent(lane, scene));
  const passedOver = silent.filter((lane) => isPassedOver(lane, scene));
  const lacksLane =
    lanes.length >= most && starving.some(({ start }) => claims.covering(start) === undefined);
  const isDue = (lane: Lane) => lacksLane || isWaitedFor(lane, starving);
  if (passedOver.some((lane) => isDue(lane))) return passedOver;
  return deadLanes(scene, silent.filter(isDue), silent);
}

/**
 * Nothing came for any lane for a while: either nothing comes over the line at the moment, or all of these connections are dead. One lane is
 * ended for that: if what is asked for in its place is served, the others are passed over. After starveMs all of them end.
 */
function deadLanes(scene: Scene, due: readonly Lane[], silent: readonly Lane[]): readonly Lane[] {
  const { now, starveMs, lanes, servedAt } = scene;
  const isTrying = lanes.some(({ claim }) => claim !== undefined && now - claim.claimedAt < starveMs / 4);
  const silentMs = now - (servedAt ?? now);
  if (due.length === 0 || silentMs < starveMs / 2) return [];
  if (silentMs >= starveMs) return silent;
  return isTrying ? [] : due.slice(0, 1);
}

function isWaitedFor({ claim }: Lane, starving: readonly Wait[]): boolean {
  return claim !== undefined && starving.some(({ start }) => start >= claim.at && start < claim.end);
}

/**
 * The lane received nothing for a quarter of starveMs. A lane without a first byte counts only if another one received bytes after it asked:
 * then the origin is working, but this request is far back in a queue or was lost.
 */
function isSilent(lane: Lane, { now, starveMs, servedAt = 0 }: Scene): boolean {
  const { claim, isHeld } = lane;
  if (claim === undefined || isHeld || now - heardAt(lane) < starveMs / 4) return false;
  return claim.at > claim.start || servedAt > claim.claimedAt;
}

/** When it received something, or asked. Bytes that are received but not written yet wait for the disk, not for the origin. */
function heardAt({ claim, servedAt }: Lane): number {
  if (claim === undefined) return Number.POSITIVE_INFINITY;
  return Math.max(claim.claimedAt, claim.at > claim.start ? (servedAt ?? 0) : 0);
}

/**
 * Another lane received bytes clearly later: the origin works, but this connection is dead, or its request is far back in a queue or was lost.
 * Where the whole line stands still for a moment, all lanes fall silent at about the same time.
 */
function isPassedOver(lane: Lane, { servedAt = 0, starveMs }: Scene): boolean {
  const hasBegun = lane.claim !== undefined && lane.claim.at > lane.claim.start;
  return servedAt - heardAt(lane) > (hasBegun ? starveMs / 10 : 0);
}

/** Lanes above the permitted number that still wait for a connection: other lanes can fetch what they have claimed. */
function surplusLanes({ lanes, most }: Scene): Lane[] {
  const idle = lanes.filter(({ claim }) => claim !== undefined && claim.at === claim.start);
  return idle.slice(0, Math.max(0, lanes.length - most));
}

function begunClaims(lanes: readonly Lane[]): Claim[] {
  return lanes.flatMap(({ claim }) => (claim !== undefined && claim.at > claim.start ? [claim] : []));
}
