/**
 * Owns how events and traffic are read that another node tells: by what can be believed of them, whatever comes. A node of another version may leave
 * out some of it, what it adds is passed over, and its events may be of further kinds. Pure.
 */
import type { TrafficSums } from "../../metadata/traffic-sums.ts";
import { asObject, type JsonObject, objects, sizeOf, textOf } from "../../oci/json-value.ts";
import { boundedEvent, cut, type EventFacts } from "../../records/event.ts";
import { type NamedSums, withSaved } from "../../records/named-sums.ts";
import { type AnyEvent, MOST_ROWS, type ToldEvents, type ToldTraffic } from "./own-records.ts";
import { MOST_EVENTS } from "./record-words.ts";

const KIND = /^[a-z-]{1,40}$/;
/** What comes later is no date (ECMA-262, 21.4.1.1). */
const LAST_DATE = 8.64e15;
const MOST_NAME = 800;
/** Besides the rows themselves: others are told once for each upstream. */
const MOST_OTHERS = 1_000;

/** undefined for what is no such answer. */
export function toldEvents(value: unknown): ToldEvents | undefined {
  const said = asObject(value);
  if (said === undefined || !Array.isArray(said.items)) return undefined;
  const items = objects(said.items.slice(0, MOST_EVENTS)).flatMap((item) => eventOf(item) ?? []);
  return { items, hasMore: said.hasMore === true };
}

function eventOf({ id, at, kind, text, facts }: JsonObject): AnyEvent | undefined {
  const [number, moment] = [sizeOf(id), sizeOf(at)];
  if (number === undefined || moment === undefined || moment > LAST_DATE) return undefined;
  if (typeof text !== "string" || typeof kind !== "string" || !KIND.test(kind)) return undefined;
  return { id: number, at: moment, kind, ...boundedEvent(text, factsOf(facts)) };
}

function factsOf(value: unknown): EventFacts {
  const plain = Object.entries(asObject(value) ?? {}).filter(([, fact]) =>
    ["string", "number", "boolean"].includes(typeof fact),
  );
  return Object.fromEntries(plain) as EventFacts;
}

/** undefined for what is no such answer. */
export function toldTraffic(value: unknown): ToldTraffic | undefined {
  const said = asObject(value);
  if (said === undefined || !Array.isArray(said.rows)) return undefined;
  const all = asObject(said.all) ?? {};
  return {
    rows: objects(said.rows.slice(0, MOST_ROWS + MOST_OTHERS)).flatMap((row) => rowOf(row) ?? []),
    today: withSaved(sumsOf(asObject(said.today) ?? {})),
    all: { ...withSaved(sumsOf(all)), since: dayIn(all.since) },
  };
}

function rowOf(row: JsonObject): NamedSums | undefined {
  const name = textOf(row.name);
  return name === undefined ? undefined : { name: cut(name, MOST_NAME), ...withSaved(sumsOf(row)) };
}

function sumsOf({ served, fetched, pulls, hits, misses }: JsonObject): TrafficSums {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = [served, fetched, pulls, hits, misses].map(sizeOf);
  return { served: a, fetched: b, pulls: c, hits: d, misses: e };
}

function dayIn(value: unknown): string | undefined {
  return typeof value === "string" && /^\d{4}-\d{2}-\d{2}$/.test(value) ? value : undefined;
}
