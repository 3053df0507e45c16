/**
 * Owns what must stay in a database that has become too large: what a keep rule stands for, and a tag's only manifest while its upstream cannot
 * be asked. Where only that is left, the owner is told. Which rows go is the database's.
 */
import { formatBytes } from "../../bytes/units.ts";
import type { DatabaseBound } from "../../metadata/database-bound.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Trouble } from "../../observe/troubles.ts";
import type { Keep } from "../rules/keep.ts";
import type { AnsweredLately } from "./answered-lately.ts";

export type DatabaseRoomParts = {
  readonly bound: Pick<DatabaseBound, "spare" | "tooMuch">;
  readonly keep: Pick<Keep, "keepsNow" | "keepsInNow" | "onChange">;
  readonly answered: Pick<AnsweredLately, "has">;
  /** Whether it is known of every stored manifest what it lists; until then all of them stay. */
  readonly areEdgesKnown: () => boolean;
  readonly troubles: Episodes<Trouble>;
};

export class DatabaseRoom {
  readonly #parts: DatabaseRoomParts;

  constructor(parts: DatabaseRoomParts) {
    const { keep } = parts;
    this.#parts = parts;
    this.#spare();
    // What was passed over because of a rule may go when the rule is gone.
    keep.onChange(() => this.#spare());
  }

  /** Tells the owner when what must stay is more than the database may take, and when that is over. */
  look(): void {
    const { bound, troubles } = this.#parts;
    const much = bound.tooMuch();
    if (much === undefined) {
      troubles.over("database");
      return;
    }
    const [used, most] = [much.used, much.maxBytes].map(formatBytes);
    const text = `The database takes ${used}, and its part of storage.maxSize is ${most}: what is left in it is what keep rules stand for, and tags whose registry cannot be asked now. Nothing of that goes. Keep less, or raise storage.maxSize.`;
    troubles.trouble("database", {}, text);
  }

  #spare(): void {
    const { bound, keep, answered, areEdgesKnown } = this.#parts;
    bound.spare({
      isKept: (name) => !areEdgesKnown() || keep.keepsNow(name),
      isKeptIn: (where) => !areEdgesKnown() || keep.keepsInNow(where),
      canBeAsked: (where, reference) => answered.has(where, reference),
    });
  }
}
