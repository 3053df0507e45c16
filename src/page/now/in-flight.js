/** Owns the rows of the fills in flight: those of fill-rows.js, renewed by each snapshot, whichever view is open. */
import { effect, signal } from "@preact/signals";
import { events, status } from "../live.js";
import { nextRows } from "./fill-rows.js";

export const rows = signal(/** @type {readonly import("./fill-rows.js").Row[]} */ ([]));

effect(() => {
  const now = status.value;
  if (now !== undefined) rows.value = nextRows(rows.peek(), now, events.peek());
});
