/**
 * Owns what is told of the few things that would be evicted next, with the repositories that have them. It is read when somebody looks, at most
 * once in a few seconds, and nobody who looks again waits for it. It removes nothing.
 */
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { RoomVictim } from "../mirror.ts";
import type { Space } from "../space/space.ts";
import { shownVictim } from "./make-room.ts";

const MOST = 5;
const BELIEVED_MS = 5_000;

type Parts = {
  readonly rows: Pick<ContentRows, "repositoriesWith">;
  readonly space: Pick<Space, "goNext">;
  readonly clock: Clock;
};

export class NextToGo {
  readonly #parts: Parts;
  /** `at` is of the clock's `elapsed`. */
  #known: { readonly victims: readonly RoomVictim[]; readonly at: number } | undefined;
  #reading: Promise<readonly RoomVictim[]> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** In their order. Who looks for the first time waits; later ones get what is known, and it is read again behind them. Never rejects. */
  async look(): Promise<readonly RoomVictim[]> {
    const known = this.#known;
    const isFresh = known !== undefined && this.#parts.clock.elapsed() - known.at < BELIEVED_MS;
    if (!isFresh)
      this.#reading ??= this.#read().finally(() => {
        this.#reading = undefined;
      });
    return known?.victims ?? (await this.#reading) ?? [];
  }

  async #read(): Promise<readonly RoomVictim[]> {
    const { rows, space, clock } = this.#parts;
    const victims: RoomVictim[] = [];
    try {
      for (const victim of await space.goNext(MOST)) victims.push(await shownVictim(rows, victim));
    } catch {
      // The database cannot be read now, which is told elsewhere.
    }
    this.#known = { victims, at: clock.elapsed() };
    return victims;
  }
}
