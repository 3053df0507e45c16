/**
 * Owns the states of a Fill: what each one means, and what it carries. fill-course.ts does the work of each, and
 * current-state.ts has every change from one to another.
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
/** Bytes are being fetched. When nobody reads, that goes on for a while (F13). */
export type Filling = { readonly name: "filling"; readonly partial: OpenPartial };
/** Nobody reads, so the bytes fetched so far are being saved. If a reader comes meanwhile, the fill goes on. */
export type Pausing = { readonly name: "pausing"; readonly partial: OpenPartial };
/** Every byte is present, and the digest is being computed. `isLast`: the process is stopping, so the fill ends after the verdict. */
export type Verifying = { readonly name: "verifying"; readonly partial: OpenPartial; isLast: boolean };
/** Every byte is right, but the store cannot take the blob. Readers finish, and new ones may come. */
export type Uncommitted = {
  readonly name: "uncommitted";
  readonly partial: OpenPartial;
  readonly reason: GranaryError;
};
/** The disk cannot keep the blob: each reader goes on with its own request to the origin (F16). */
export type Bypassing = {
  readonly name: "bypassing";
  readonly partial: OpenPartial | undefined;
  readonly reason: GranaryError;
};
export type Running = Opening | Filling | Pausing | Verifying | Uncommitted | Bypassing;

/** The store has it. Its readers go on with this file. */
type Committed = { readonly name: "committed"; readonly file: OpenPartial | StoredBlob };
/** Every reader gets the failure. `rejected`: the bytes cannot be right. */
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

/** The file that a fill that is over still has open. */
export function fileOf(state: Over): OpenPartial | StoredBlob | undefined {
  return state.name === "committed" ? state.file : state.partial;
}

/** Closes, keeps or discards a file that the fill no longer uses, depending on `state`. */
export async function letGoOf(
  file: OpenPartial | StoredBlob | undefined,
  state: Running | Over,
): Promise<void> {
  if (!(file instanceof OpenPartial) || state.name === "committed") await file?.close();
  else if (state.name === "rejected") await file.discard();
  else await file.keep();
}
