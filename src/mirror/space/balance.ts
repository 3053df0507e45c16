/**
 * Owns the Balance: what is taken of the disk and of the budget at one moment, how many bytes are missing for something new, and what the
 * operator is told when no eviction could ever be enough. Pure: it asks neither the disk nor the database, and reserves and removes nothing.
 */
import { formatBytes } from "../../bytes/units.ts";
import { type Budget, type Disk, type Look, minFreeOf } from "./disk-measure.ts";
import type { Ledger } from "./ledger.ts";

/** All in bytes. */
export type Balance = {
  readonly used: number;
  /** What fills will still write, and what is reserved. */
  readonly coming: number;
  readonly disk: Disk | undefined;
};

/** What a Balance is made of, besides the ledger; it took a while to read. */
export type Measured = {
  readonly look: Look;
  /** Bytes of blobs. */
  readonly stored: number;
  /** Ledger.left when the measuring began. */
  readonly left: number;
};

/** True only in the tick in which it is called: nothing may be awaited before the decision that is made with it. */
export function balanceOf({ look, stored, left }: Measured, ledger: Ledger): Balance {
  const damaged = look.damaged.reduce((sum, { size }) => sum + size, 0);
  const partials = ledger.occupied + ledger.left - left;
  const used = stored + look.database + damaged + partials;
  return { used, coming: ledger.coming, disk: look.disk };
}

/** Bytes that are missing for `bytes` more; infinite where no eviction could ever be enough. */
export function lackingFor(bytes: number, { used, coming, disk }: Balance, budget: Budget): number {
  const overBudget = used + coming + bytes - budget.maxSize;
  if (bytes > budget.maxSize) return Number.POSITIVE_INFINITY;
  if (disk === undefined) return overBudget;
  const minFree = minFreeOf(budget, disk);
  if (minFree >= disk.size) return bytes > 0 || overBudget <= 0 ? Number.POSITIVE_INFINITY : overBudget;
  return Math.max(overBudget, coming + bytes + minFree - disk.free);
}

/** Why nothing new could be stored on `disk` even if all that is `used` were evicted, and what to do; undefined while something could. */
export function noRoomAtAll(disk: Disk, used: number, budget: Budget): string | undefined {
  const { free, size } = disk;
  const minFree = minFreeOf(budget, disk);
  if (free + used >= minFree && size > minFree) return undefined;
  const kept = "Nothing new is kept, everything is passed through";
  const least = formatBytes(minFree);
  if (minFree >= size)
    return `storage.minFree (${least}) is more than the disk has (${formatBytes(size)}). ${kept}: lower storage.minFree, or give storage.directory a larger disk.`;
  return `The disk is full of other things: ${formatBytes(free)} are free, ${formatBytes(used)} are Granary's own, and ${least} must stay free (storage.minFree). ${kept}: free some space, or lower storage.minFree.`;
}
