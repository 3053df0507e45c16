/** Owns making room by hand: what would go next, in its order and with the names that need it, and letting it go now. */
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Space } from "../space/space.ts";
import { repositoryName } from "./stored-names.ts";

/** Something that goes for room. */
type Victim = {
  readonly kind: "blob" | "partial" | "damaged";
  /** A digest; of a damaged file, its name. */
  readonly what: string;
  /** Bytes. */
  readonly size: number;
  /** Epoch ms; undefined where it does not count. */
  readonly usedAt: number | undefined;
  /** Repositories that list it, a few of them. */
  readonly names: readonly string[];
};

export type MadeRoom = {
  /** Bytes that came free, or would. */
  readonly freed: number;
  /** True where less comes free than was asked for: the rest is kept, being read, or not there. */
  readonly isLess: boolean;
  /** In their order; of a real run, those that were to go when it began. */
  readonly next: readonly Victim[];
  /** Those that are not told of one by one. */
  readonly more: number;
};

export type RoomParts = { readonly rows: ContentRows; readonly space: Pick<Space, "next" | "evict"> };

const MOST_TOLD = 500;
const MOST_NAMES = 3;

/** `bytes` are to come free. Throws what Metadata throws when it cannot be read. */
export async function makeRoom(
  { rows, space }: RoomParts,
  bytes: number,
  dryRun: boolean,
): Promise<MadeRoom> {
  const victims = await space.next(bytes);
  const next: Victim[] = [];
  for (const victim of victims.slice(0, MOST_TOLD)) {
    const { kind, size } = victim;
    const isFile = victim.kind === "damaged";
    const names = isFile ? [] : (await rows.repositoriesWith(victim.digest, MOST_NAMES)).map(repositoryName);
    const what = isFile ? victim.name : victim.digest;
    next.push({ kind, what, size, usedAt: isFile ? undefined : victim.usedAt, names });
  }
  const planned = victims.reduce((sum, { size }) => sum + size, 0);
  const freed = dryRun ? planned : await space.evict(bytes);
  return { freed, isLess: freed < bytes, next, more: victims.length - next.length };
}
