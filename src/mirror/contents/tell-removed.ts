/** Owns what is told of a removal that a person asked for: one event, with how many names, blobs and bytes. It removes nothing. */
import { formatBytes } from "../../bytes/units.ts";
import type { EventTeller } from "../../records/events.ts";

type LeftRepository = { readonly isAll: boolean; readonly tags: readonly string[] };

/** `pattern` as it was understood; `blobs` are those that are gone, and those that go when their last reader has ended. Silent where nothing left. */
export function tellRemoved(
  events: EventTeller,
  pattern: string,
  repositories: readonly LeftRepository[],
  blobs: readonly { readonly size: number }[],
): void {
  if (repositories.length === 0) return;
  const names = repositories.reduce((sum, left) => sum + namesOf(left), 0);
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  const what = `${counted(names, "name")} and ${counted(blobs.length, "blob")} (${formatBytes(bytes)})`;
  const verb = names + blobs.length === 1 ? "was" : "were";
  // A long pattern may not take the numbers with it when the sentence is cut.
  events.tell("removed", `${what} ${verb} removed: ${pattern}`, {
    ...{ pattern, names, blobs: blobs.length, bytes },
  });
}

/** A repository that leaves whole is one name, and so are manifests without a tag. */
function namesOf({ isAll, tags }: LeftRepository): number {
  return isAll ? 1 : Math.max(1, tags.length);
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
