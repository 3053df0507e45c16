/**
 * Owns what is kept of the lists that upstreams gave, for when they cannot be asked: packed, because lists of tags shrink to a tenth, and
 * written only when it differs from what is there. It asks nobody.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { LRUCache } from "lru-cache";
import type { ListKey, Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { BodyRoom } from "../../upstream/network/body-room.ts";
import { MOST_LIST_BYTES } from "../../upstream/registry/read-list.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";

/** A body in memory until `release` is called. */
export type HeldBody = { readonly body: Uint8Array; readonly release: () => void };

export type StoredList = {
  readonly detail: string | undefined;
  /** Epoch ms. */
  readonly checkedAt: number;
  /** Unpacks it. */
  open(): Promise<HeldBody>;
};

const pack = promisify(deflateRaw);
const unpack = promisify(inflateRaw);

/** Smaller bodies are kept as they are. */
const WORTH_PACKING = 1_024;
/** How long it is believed that what was written is still there. */
const WRITTEN_MS = 600_000;

export class StoredLists {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #room: BodyRoom;
  /** What was written under which key, by its hash, and when, of the clock's `elapsed`. */
  readonly #written = new LRUCache<string, { readonly hash: string; readonly at: number }>({
    maxSize: 2 ** 20,
    sizeCalculation: (_, key) => key.length + 100,
  });
  readonly #opening: SingleFlight<HeldBody>;

  constructor(metadata: Metadata, clock: Clock, room: BodyRoom) {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#room = room;
    this.#opening = new SingleFlight(clock);
  }

  async record(key: ListKey, body: Uint8Array, detail: string | undefined): Promise<void> {
    const name = nameOf(key);
    const hash = await hashOf(body, detail);
    const written = this.#written.get(name);
    const isThere = written?.hash === hash && this.#clock.elapsed() - written.at < WRITTEN_MS;
    if (isThere) return;
    const isPacked = body.length > WORTH_PACKING;
    const kept = isPacked ? await pack(body, { level: 1 }) : Uint8Array.from(body);
    await this.#metadata.recordList({ ...key, body: kept, isPacked, detail, checkedAt: this.#clock.now() });
    this.#written.set(name, { hash, at: this.#clock.elapsed() });
  }

  async find(key: ListKey): Promise<StoredList | undefined> {
    const record = await this.#metadata.list(key);
    if (record === undefined) return undefined;
    const { body, isPacked, detail, checkedAt } = record;
    // Whoever opens the same one meanwhile gets the same bytes.
    const open = async () => {
      const opened = await this.#opening.run(`${nameOf(key)}\n${checkedAt}`, () =>
        this.#open(body, isPacked),
      );
      return { body: opened.body, release: this.#room.hold(opened.body) };
    };
    return { detail, checkedAt, open };
  }

  async forget(key: ListKey): Promise<void> {
    this.#written.delete(nameOf(key));
    await this.#metadata.forgetList(key);
  }

  async #open(body: Uint8Array, isPacked: boolean): Promise<HeldBody> {
    if (!isPacked) return { body, release: () => {} };
    const leave = await this.#room.reserve(MOST_LIST_BYTES);
    const unpacked = await unpack(body, { maxOutputLength: MOST_LIST_BYTES }).finally(leave);
    return this.briefly({ body: unpacked, release: this.#room.hold(unpacked) });
  }

  /** Held for as long as those who wait for it need to hold it themselves. */
  briefly<T extends HeldBody>(held: T): T {
    setImmediate(held.release);
    return held;
  }
}

const PIECE = 512 * 1024;

/** In pieces, so that nobody waits for a large one. */
async function hashOf(body: Uint8Array, detail: string | undefined): Promise<string> {
  const hash = createHash("sha1").update(detail ?? "\0");
  for (let at = 0; at < body.length; at += PIECE) {
    if (at > 0) await new Promise(setImmediate);
    hash.update(body.subarray(at, at + PIECE));
  }
  return hash.digest("base64");
}

function nameOf({ upstream, repository, kind, name }: ListKey): string {
  return `${kind}\n${upstream}\n${repository}\n${name}`;
}
