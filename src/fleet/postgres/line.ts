/**
 * Owns the Line port: one connection to the fleet's database, for one user at a time. Who dials it is connection.ts's; who gets it, lines.ts's.
 */
import type { FleetValue } from "./fleet-database.ts";

export interface Line {
  /** The server or a break has ended it: it must not be used again. */
  readonly isClosed: boolean;
  /** Throws GranaryErrors (postgres-error.ts). Never ends by itself while the server is silent: whoever asks has a deadline. */
  ask<Row extends object>(text: string, values: readonly FleetValue[]): Promise<Row[]>;
  /** At once, whatever it is doing: what runs on it is rejected, and nothing of it stays open. Idempotent. */
  destroy(): void;
  /** When what runs on it has ended, and at the latest after a second. */
  end(): Promise<void>;
}

/** A line that connects with its first question. */
export type Dial = () => Line;
