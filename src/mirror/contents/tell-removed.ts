/** Owns what is told of a removal that a person asked for: one event, with how many names, blobs and bytes. It removes nothing. */
import { formatBytes } from "../../bytes/units.ts";
import type { EventTeller } from "../../records/events.ts";

type LeftRepository = { readonly isAll: boolean; readonly tags: readonly string[] };

/** `pattern` as it was understood; blobs are those that are gone, and those that go when their last reader has ended. Silent where nothing left. */
export function tellRemoved(
  events: EventTeller,
  pattern: string,
  { names, blobs, freed: bytes }: { readonly names: number; readonly blobs: number; readonly freed: number },
): void {
  if (names === 0) return;
  const what = `${counted(names, "name")} and ${counted(blobs, "blob")} (${formatBytes(bytes)})`;
  const verb = names + blobs === 1 ? "was" : "were";
  // A long pattern may not take the numbers with it when the sentence is cut.
  events.tell("removed", `${what} ${verb} removed: ${pattern}`, {
    ...{ pattern, names, blobs, bytes },
  });
}

/** A repository that leaves whole is one name, and so are manifests without a tag. */
export function namesOf({ isAll, tags }: LeftRepository): number {
  return isAll ? 1 : Math.max(1, tags.length);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
