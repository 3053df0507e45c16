/**
 * Owns the states of a Fill: what each one means, and what it carries. What moves a fill from one to the next is fill.ts's.
 *
 *              obtain()                  present = [0,size)         digest equal, adopted
 *    (none) ----------> opening --> filling --------------> verifying --------------> committed
 *                          |         |   ^                      |  |
 *                          |  linger |   | reader()             |  | digest differs
 *                          |  passed v   |                      |  +---------------> rejected   (partial discarded)
 *                          |        pausing --> paused          |
 *                          |                                    +--> uncommitted --> stalled    (the next fill verifies again)
 *                          +-- N tries, no progress --> stalled     (partial kept)
 *                          +-- the disk fails --> bypassing --> stalled    (F16)
 */
import type { GranaryError } from "../errors.ts";
import type { StoredBlob } from "../store/blob-store.ts";
import { OpenPartial } from "./open-partial.ts";

/** The blob is looked for in the store, then the partial is opened. */
export type Opening = { readonly name: "opening" };
/** Bytes are being brought. Where nobody reads, that goes on for a while (F13). */
export type Filling = { readonly name: "filling"; readonly partial: OpenPartial };
/** Nobody reads: what is here is being saved. A reader that comes meanwhile finds the fill going on. */
export type Pausing = { readonly name: "pausing"; readonly partial: OpenPartial };
/** Every byte is here. `isLast`: the process stops, and nothing is begun after the verdict. */
export type Verifying = { readonly name: "verifying"; readonly partial: OpenPartial; isLast: boolean };
/** Every byte is here and right, and the store cannot take it: readers finish, and more may come. */
export type Uncommitted = {
  readonly name: "uncommitted";
  readonly partial: OpenPartial;
  readonly reason: GranaryError;
};
/** The disk cannot keep the blob: each reader goes on at the origin (F16). */
export type Bypassing = {
  readonly name: "bypassing";
  readonly partial: OpenPartial | undefined;
  readonly reason: GranaryError;
};
export type Running = Opening | Filling | Pausing | Verifying | Uncommitted | Bypassing;

/** The store has it. Its readers go on with this file. */
type Committed = { readonly name: "committed"; readonly file: OpenPartial | StoredBlob };
/** Every reader hears the failure. `rejected`: what is here cannot be right. */
export type Failed = {
  readonly name: "paused" | "stalled" | "rejected";
  readonly partial: OpenPartial | undefined;
  readonly failure: GranaryError;
};
export type Over = Committed | Failed;

export function isOver(state: Running | Over): state is Over {
  return ["committed", "paused", "stalled", "rejected"].includes(state.name);
}

/** The name of a state in status and metrics. */
export function told({ name }: Running | Over) {
  if (name === "pausing") return "paused";
  return name === "uncommitted" ? "stalled" : name;
}

export function partialIn(state: Running | Over): OpenPartial | undefined {
  return "partial" in state ? state.partial : undefined;
}

/** What is still open in a fill that is over. */
export function fileOf(state: Over): OpenPartial | StoredBlob | undefined {
  return state.name === "committed" ? state.file : state.partial;
}

/** Lets go of a file that no step works with any more, as `state` has it. */
export async function letGoOf(
  file: OpenPartial | StoredBlob | undefined,
  state: Running | Over,
): Promise<void> {
  if (!(file instanceof OpenPartial) || state.name === "committed") await file?.close();
  else if (state.name === "rejected") await file.discard();
  else await file.keep();
}
