/**
 * Owns what is told of a running Fill: how far it is and how fast, which parts are here, where lanes write and readers read, and whom it
 * serves. All lists are bounded, however many readers there are. It reads, and changes nothing.
 */
import type { ByteRange } from "../bytes/byte-range.ts";
import type { Digest } from "../oci/digest.ts";
import type { Purpose, Serves } from "../purpose.ts";
import type { Content } from "./content.ts";
import { drawnMap } from "./drawn-runs.ts";
import type { FillReader, FillReaders } from "./fill-reader.ts";
import { type Over, type Running, told } from "./fill-state.ts";
import type { Supply } from "./supply.ts";

/** Those who read the same for the same reason are one. */
export type ServedReader = Serves & {
  readonly purpose: Purpose;
  /** When the first of them came, epoch ms. */
  readonly since: number;
  readonly readers: number;
  /** How many of them wait at this moment. */
  readonly waiting: number;
};

export type FillFacts = {
  readonly digest: Digest;
  readonly upstream: string;
  readonly state: string;
  /** Bytes; what is present while nobody knows the size. */
  readonly size: number;
  readonly present: number;
  readonly lanes: number;
  readonly readers: number;
  readonly waits: number;
  /** The most urgent of those who want it at this moment. */
  readonly purpose: Purpose;
  /** For how many ms by now it has left the line to clients; undefined while it need not. */
  readonly heldForMs: number | undefined;
  /** Epoch ms. */
  readonly begunAt: number;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
  /** Whom it serves, at most MOST_TOLD; `readers` counts all. */
  readonly serves: readonly ServedReader[];
  /** What is here, for drawing: at most a few hundred runs. */
  readonly runs: readonly ByteRange[];
  /** The same exactly, where it lies in more runs than that; see drawn-cells.ts. */
  readonly cells: string | undefined;
  /** Where lanes write and readers read, at most MOST_TOLD of each. */
  readonly lanesAt: readonly number[];
  readonly readersAt: readonly number[];
};

/** As many as fit on a screen. */
const MOST_TOLD = 20;

export type FillParts = Pick<FillFacts, "digest" | "upstream" | "begunAt"> & {
  readonly state: Running | Over;
  readonly content: Content;
  readonly supply: Supply;
  readonly readers: FillReaders;
  /** The clock's `elapsed`. */
  readonly now: number;
};

export function factsOf({
  digest,
  upstream,
  begunAt,
  state,
  content,
  supply,
  readers,
  now,
}: FillParts): FillFacts {
  const { present } = content;
  const size = content.size ?? present.total;
  return {
    digest,
    upstream,
    state: told(state),
    size,
    present: present.total,
    lanes: supply.count,
    readers: readers.count,
    waits: content.waiting,
    purpose: readers.purpose,
    heldForMs: supply.heldSince === undefined ? undefined : now - supply.heldSince,
    begunAt,
    bytesPerSecond: content.bytesPerSecond,
    serves: servedBy(readers),
    ...drawnMap(present.snapshot(), size),
    lanesAt: supply.places.slice(0, MOST_TOLD),
    readersAt: placesOf(readers),
  };
}

function servedBy(readers: Iterable<FillReader>): readonly ServedReader[] {
  const found = new Map<string, ServedReader>();
  for (const { wanting, since, isWaiting } of readers) {
    const { purpose, serves } = wanting;
    if (serves === undefined) continue;
    const key = [purpose, serves.repository, serves.tag, serves.client, serves.pull].join("\n");
    const known = found.get(key);
    if (known === undefined && found.size === MOST_TOLD) continue;
    found.set(key, {
      ...serves,
      purpose,
      since: known?.since ?? since,
      readers: (known?.readers ?? 0) + 1,
      waiting: (known?.waiting ?? 0) + (isWaiting ? 1 : 0),
    });
  }
  return [...found.values()];
}

function placesOf(readers: Iterable<FillReader>): readonly number[] {
  const places: number[] = [];
  for (const { at } of readers) {
    places.push(at);
    if (places.length === MOST_TOLD) break;
  }
  return places;
}
