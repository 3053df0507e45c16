/** Owns a room for lists that is large enough for any test that is not about it. */
import { systemClock } from "../../src/observe/clock.ts";
import { BodyRoom } from "../../src/upstream/network/body-room.ts";

export function room(): BodyRoom {
  return new BodyRoom(2 ** 30, systemClock);
}
