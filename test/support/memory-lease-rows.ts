/**
 * Owns LeaseRows over a table in memory: how a question gets there and its answer back is `carry`'s matter, so that the simulation can lose
 * either.
 */
import type { LeaseRows } from "../../src/fleet/leases/lease-rows.ts";
import type { MemoryLeaseTable } from "./memory-lease-table.ts";

export type Carrying = {
  /** Runs `statement` on the table, now or later, and gives its answer; rejects with `fleet-unavailable`. */
  carry<T>(statement: () => T): Promise<T>;
  readonly isAnswering: boolean;
  onAnswering(listener: (isAnswering: boolean) => void): () => void;
};

export function memoryLeaseRows(table: MemoryLeaseTable, carrying: Carrying): LeaseRows {
  const { carry } = carrying;
  return {
    get isAnswering() {
      return carrying.isAnswering;
    },
    onAnswering: (listener) => carrying.onAnswering(listener),
    beat: (beat) => carry(() => table.beat(beat)),
    acquire: (key, by) => carry(() => table.acquire(key, by)),
    holder: (key) => carry(() => table.holder(key)),
    resolve: (digest, key) => carry(() => table.resolve(digest, key)),
    noteUpload: (lease, upload) => carry(() => table.noteUpload(lease, upload)),
    commit: (lease, object) => carry(() => table.commit(lease, object)),
    release: (lease) => carry(() => table.release(lease)),
    park: (lease) => carry(() => table.park(lease)),
    leave: (by) => carry(() => table.leave(by)),
    members: () => carry(() => table.members()),
    leases: (limit) => carry(() => table.heldLeases(limit)),
    forget: (object) => carry(() => table.forget(object)),
    pause: (upstream, forMs) => carry(() => table.pause(upstream, forMs)),
    raiseEpochs: (above) => carry(() => table.raiseEpochs(above)),
    clearOld: () => carry(() => table.clearOld()),
    close: async () => undefined,
  };
}
