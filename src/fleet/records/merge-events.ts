/**
 * Owns how the events of several nodes become one list. Each node's own order stays, whatever its clock does; between two nodes their clocks decide.
 * What follows of a node that has more is not known here: the list ends there, so that nothing is passed over. Pure.
 */
import type { NodeEvent } from "./fleet-records.ts";
import type { ToldEvents } from "./own-records.ts";
import type { Places } from "./places.ts";

export type NodeTold<Told> = { readonly node: string; readonly told: Told };
/** As FleetEvents, with places that are not written yet. */
type Merged = { readonly items: NodeEvent[]; readonly next: Places | undefined; readonly seen: Places };
type Line = { readonly node: string; readonly left: NodeEvent[]; readonly hasMore: boolean };

/** Newest first, at most `limit`; `before` is where the question began. */
export function pastOf(all: readonly NodeTold<ToldEvents>[], limit: number, before: Places): Merged {
  const lines = all.map((each) => lineOf(each, (a, b) => b.id - a.id));
  const seen = new Map(lines.map(({ node, left }) => [node, left[0]?.id ?? 0]));
  const items = taken(lines, limit, (a, b) => a.at > b.at);
  const hasMore = lines.some((line) => line.left.length > 0 || line.hasMore);
  return { items, seen, next: hasMore ? placesAfter(lines, items, before) : undefined };
}

/** Oldest first, at most `limit`; `since` is where the question began. */
export function laterOf(all: readonly NodeTold<ToldEvents>[], limit: number, since: Places): Merged {
  const lines = all.map((each) => lineOf(each, (a, b) => a.id - b.id));
  const items = taken(lines, limit, (a, b) => a.at < b.at);
  const heard = lines.map(({ node }) => [node, since.get(node) ?? 0] as const);
  const seen = new Map([...since, ...heard, ...items.map(({ node, id }) => [node, id] as const)]);
  return { items, seen, next: undefined };
}

function lineOf({ node, told }: NodeTold<ToldEvents>, order: (a: NodeEvent, b: NodeEvent) => number): Line {
  const byId = new Map(told.items.map((event) => [event.id, { ...event, node }]));
  return { node, left: [...byId.values()].sort(order), hasMore: told.hasMore };
}

/** Takes them out of `lines`. */
function taken(
  lines: readonly Line[],
  limit: number,
  isFirst: (a: NodeEvent, b: NodeEvent) => boolean,
): NodeEvent[] {
  const items: NodeEvent[] = [];
  while (items.length < limit && !lines.some((line) => line.left.length === 0 && line.hasMore)) {
    let first: Line | undefined;
    for (const line of lines) if (comesBefore(line, first, isFirst)) first = line;
    const item = first?.left.shift();
    if (item === undefined) break;
    items.push(item);
  }
  return items;
}

function comesBefore(
  line: Line,
  other: Line | undefined,
  isFirst: (a: NodeEvent, b: NodeEvent) => boolean,
): boolean {
  const [[mine], [its]] = [line.left, other?.left ?? []];
  return mine !== undefined && (its === undefined || isFirst(mine, its));
}

/** For each node its oldest that was taken. One that is missing keeps its place, or has none: it begins with its newest when it is back. */
function placesAfter(lines: readonly Line[], items: readonly NodeEvent[], before: Places): Places {
  const untaken = lines.map(({ node, left: [next] }) => {
    return [node, before.get(node) ?? (next === undefined ? 0 : next.id + 1)] as const;
  });
  return new Map([...before, ...untaken, ...items.map(({ node, id }) => [node, id] as const)]);
}
