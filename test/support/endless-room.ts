/** Owns the Room of fills that are not about room: there always is some, and nothing is added up. */
import type { Room } from "../../src/fill/room.ts";

export const ENDLESS: Room = {
  occupies: () => undefined,
  extend: async () => true,
  giveBack: () => undefined,
  release: () => undefined,
};
