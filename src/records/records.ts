/** Owns the composition of the records: what happened here, for people who ask. */
import type { Clock } from "../observe/clock.ts";
import { Events } from "./events.ts";

export type Records = {
  readonly events: Events;
};

export function openRecords({ clock }: { readonly clock: Clock }): Records {
  return { events: new Events(clock) };
}
