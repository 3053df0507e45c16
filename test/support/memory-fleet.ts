/** Owns a whole fleet in one process: the nodes' own code over a database in memory, for tests of what is built on the Fleet port. */
import { GranaryError } from "../../src/errors.ts";
import { NodeFleet, type NodeFleetOptions } from "../../src/fleet/leases/node-fleet.ts";
import type { Clock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { memoryLeaseRows } from "./memory-lease-rows.ts";
import { MemoryLeaseTable } from "./memory-lease-table.ts";

type NodeOptions = Partial<Omit<NodeFleetOptions, "node" | "rows">>;

/** A database that answers at once, or is away. */
class MemoryDatabase {
  #isAway = false;
  readonly #listeners = new Set<(isAnswering: boolean) => void>();

  get away(): boolean {
    return this.#isAway;
  }

  /** For all nodes. They hear of it at once. */
  set away(isAway: boolean) {
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    for (const listener of this.#listeners) listener(!isAway);
  }

  get isAnswering(): boolean {
    return !this.#isAway;
  }

  readonly onAnswering = (listener: (isAnswering: boolean) => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  readonly carry = async <T>(statement: () => T): Promise<T> => {
    if (this.#isAway) throw awayError();
    return statement();
  };
}

export function awayError(): GranaryError {
  return new GranaryError("fleet-unavailable", "The database in memory is away.");
}

/**
 * `node` starts one: it has beaten when its promise resolves. Its heartbeats and its deadline go by `clock` (or its own in `options`), the
 * database's by `clock`. A node in `cuts` is cut off: it goes on, and none of its
 * statements reaches the database.
 */
export function memoryFleet({ clock }: { readonly clock: Clock }) {
  const rows = new MemoryLeaseTable(() => clock.now());
  const database = new MemoryDatabase();
  const cuts = new Set<string>();
  return {
    /** What the database holds. */
    rows,
    database,
    /** Nodes that are cut off from the database, by name: each statement of theirs fails. */
    cuts,
    async node(name: string, options: NodeOptions = {}): Promise<NodeFleet> {
      const carry = async <T>(statement: () => T): Promise<T> => {
        if (cuts.has(name)) throw awayError();
        return await database.carry(statement);
      };
      const { onAnswering } = database;
      const carrying = {
        carry,
        onAnswering,
        get isAnswering() {
          return database.isAnswering && !cuts.has(name);
        },
      };
      const fleet = new NodeFleet({
        clock,
        log: silentLog,
        address: `http://${name}`,
        zone: undefined,
        version: "0.0.0",
        ...options,
        node: name,
        rows: memoryLeaseRows(rows, carrying),
      });
      await fleet.start();
      return fleet;
    },
  };
}
