/** Owns making room by hand: what would go next, in its order and with the names that need it, and letting it go now. */
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { RoomVictim } from "../mirror.ts";
import type { Victim } from "../space/janitor.ts";
import type { Space } from "../space/space.ts";
import { repositoryName } from "./stored-names.ts";

export type MadeRoom = {
  /** Bytes that came free, or would. */
  readonly freed: number;
  /** True where less comes free than was asked for: the rest is kept, being read, or not there. */
  readonly isLess: boolean;
  /** In their order; of a real run, those that were to go when it began. */
  readonly next: readonly RoomVictim[];
  /** Those that are not told of one by one. */
  readonly more: number;
};

export type RoomParts = { readonly rows: ContentRows; readonly space: Pick<Space, "next" | "evict"> };

/** `went` in all so far; `expected` is how many things go in all. */
export type RoomProgress = (
  went: { readonly bytes: number; readonly things: number },
  expected: number,
) => void;

/** Things: more than that takes some seconds on a slow disk. */
const MUCH = 2_000;
/** Room is made in so many parts, none smaller than that: pulls that need room have their turn in between. */
const PARTS = 20;
const LEAST_PART = 64 * 2 ** 20;
const MOST_TOLD = 500;
const MOST_NAMES = 3;

/** `bytes` are to come free. Throws what Metadata throws when it cannot be read. */
export async function makeRoom(
  { rows, space }: RoomParts,
  bytes: number,
  dryRun: boolean,
): Promise<MadeRoom> {
  const victims = await space.next(bytes);
  const next: RoomVictim[] = [];
  for (const victim of victims.slice(0, MOST_TOLD)) next.push(await shownVictim(rows, victim));
  const planned = victims.reduce((sum, { size }) => sum + size, 0);
  const freed = dryRun ? planned : (await space.evict(bytes)).bytes;
  return { freed, isLess: freed < bytes, next, more: victims.length - next.length };
}

/** With the names of a few repositories that list it. */
export async function shownVictim(
  rows: Pick<ContentRows, "repositoriesWith">,
  victim: Victim,
): Promise<RoomVictim> {
  const { kind, size } = victim;
  if (victim.kind === "damaged") return { kind, what: victim.name, size, usedAt: undefined, names: [] };
  const names = (await rows.repositoriesWith(victim.digest, MOST_NAMES)).map(repositoryName);
  return { kind, what: victim.digest, size, usedAt: victim.usedAt, names };
}

export async function isMuchRoom({ space }: RoomParts, bytes: number): Promise<boolean> {
  return (await space.next(bytes)).length > MUCH;
}

/** The same part by part, until `signal` ends it; those under way go whole. Throws as `makeRoom`. */
export async function makeMuchRoom(
  { space }: RoomParts,
  bytes: number,
  signal: AbortSignal,
  onProgress: RoomProgress,
): Promise<void> {
  const expected = (await space.next(bytes)).length;
  const part = Math.max(LEAST_PART, Math.ceil(bytes / PARTS));
  const went = { bytes: 0, things: 0 };
  onProgress(went, expected);
  while (went.bytes < bytes && !signal.aborted) {
    const now = await space.evict(Math.min(part, bytes - went.bytes));
    if (now.bytes === 0) return;
    went.bytes += now.bytes;
    went.things += now.things;
    onProgress({ ...went }, expected);
  }
}
