/**
 * Owns the lists that upstreams gave last, stored for when they cannot be asked. They are compressed, because lists of tags shrink to a
 * tenth, and written only when they differ from what is stored. It asks no upstream.
 */
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { LRUCache } from "lru-cache";
import type { ListKey, Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { BodyRoom } from "../../upstream/network/body-room.ts";
import { MOST_LIST_BYTES } from "../../upstream/registry/read-list.ts";
import { expiringBy } from "../../waiting/expiry.ts";
import { SingleFlight } from "../../waiting/single-flight.ts";

/** A body in memory until `release` is called. */
export type ListBody = { readonly body: Uint8Array; readonly release: () => void };

export type StoredList = {
  readonly detail: string | undefined;
  /** Epoch ms. */
  readonly checkedAt: number;
  /** Unpacks it. */
  open(): Promise<ListBody>;
};

const pack = promisify(deflateRaw);
const unpack = promisify(inflateRaw);

/** Smaller bodies are kept as they are. */
const WORTH_PACKING = 1_024;
/** For how long a list that was written counts as stored without another look. */
const WRITTEN_MS = 600_000;

export class StoredLists {
  readonly #metadata: Metadata;
  readonly #clock: Clock;
  readonly #room: BodyRoom;
  /** The hash of what was written under which key. */
  readonly #written: LRUCache<string, string>;
  readonly #opening: SingleFlight<ListBody>;

  constructor(metadata: Metadata, clock: Clock, room: BodyRoom) {
    this.#metadata = metadata;
    this.#clock = clock;
    this.#room = room;
    this.#written = new LRUCache<string, string>({
      maxSize: 2 ** 20,
      sizeCalculation: (_, key) => key.length + 100,
      ...expiringBy(clock),
    });
    this.#opening = new SingleFlight(clock);
  }

  async record(key: ListKey, body: Uint8Array, detail: string | undefined): Promise<void> {
    const name = nameOf(key);
    const hash = await hashOf(body, detail);
    if (this.#written.get(name) === hash) return;
    const isPacked = body.length > WORTH_PACKING;
    const stored = isPacked ? await pack(body, { level: 1 }) : Uint8Array.from(body);
    await this.#metadata.recordList({ ...key, body: stored, isPacked, detail, checkedAt: this.#clock.now() });
    this.#written.set(name, hash, { ttl: WRITTEN_MS });
  }

  async find(key: ListKey): Promise<StoredList | undefined> {
    const record = await this.#metadata.list(key);
    if (record === undefined) return undefined;
    const { body, isPacked, detail, checkedAt } = record;
    // Everybody who opens the same list meanwhile shares its bytes.
    const open = async () => {
      const opened = await this.#opening.run(`${nameOf(key)}\n${checkedAt}`, () =>
        this.#open(body, isPacked),
      );
      return { body: opened.body, release: this.#room.occupy(opened.body) };
    };
    return { detail, checkedAt, open };
  }

  async forget(key: ListKey): Promise<void> {
    this.#written.delete(nameOf(key));
    await this.#metadata.forgetList(key);
  }

  async #open(body: Uint8Array, isPacked: boolean): Promise<ListBody> {
    if (!isPacked) return { body, release: () => {} };
    const leave = await this.#room.reserve(MOST_LIST_BYTES);
    const unpacked = await unpack(body, { maxOutputLength: MOST_LIST_BYTES }).finally(leave);
    return this.briefly({ body: unpacked, release: this.#room.occupy(unpacked) });
  }

  /** Keeps the list in memory for one more turn, in which those who wait for it take their own hold of it. */
  briefly<T extends ListBody>(list: T): T {
    setImmediate(list.release);
    return list;
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
