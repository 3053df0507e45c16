/**
 * Owns how one blob comes in from elsewhere: into a Partial of its own, hashed as it grows, and adopted by the store in the order of a fill
 * (F9). Its bytes are nobody's before their digest is right. What an earlier try has written is compared, and not written again.
 */
import { GranaryError } from "../../errors.ts";
import { Checkpoints } from "../../fill/open-partial.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { DigestFollower, Partial, PartialKey, Spool } from "../../store/partial.ts";
import { throwIfAborted } from "../../waiting/abort.ts";
import type { Pins } from "../space/pins.ts";
import type { Space } from "../space/space.ts";
import type { IncomingBlob } from "./bundle-head.ts";

export type TakeInParts = {
  readonly spool: Spool;
  readonly store: BlobStore;
  readonly metadata: Metadata;
  readonly space: Pick<Space, "reserve" | "takeRoom" | "hasRoomFor">;
  readonly pins: Pins;
  readonly clock: Clock;
};

export type TakeInControls = {
  readonly signal: AbortSignal | undefined;
  /** Bytes that came since the last call. */
  readonly came: (bytes: number) => void;
};

/** Whose Partials those of imports are. No upstream can have this name, so no fill goes on with bytes that came from somebody's file. */
const OWNER = "import:";

/** What is written at once: the bytes of a stream come in small pieces. */
const WRITTEN_AT_ONCE = 2 ** 20;

export function importKey(digest: Digest): PartialKey {
  return { digest, upstream: OWNER };
}

/**
 * Resolves when the blob is stored and recorded. Throws `digest-mismatch` (nothing of it is kept), `store-full`, `store-damaged`, `aborted` and
 * what its body throws; after the last two what came is kept for another try.
 */
export async function takeIn(
  parts: TakeInParts,
  blob: IncomingBlob,
  controls: TakeInControls,
): Promise<void> {
  const { digest, size } = blob;
  const { space, pins, spool } = parts;
  const key = importKey(digest);
  const unpin = pins.pinFill(digest);
  const room = space.takeRoom(key, size);
  try {
    const partial = await spool.openPartial(key, size);
    const incoming = new Incoming(partial, parts.clock, (bytes) => room.occupies(bytes));
    try {
      await incoming.read(blob.body, controls);
      await incoming.check();
      await parts.store.adopt(partial, digest);
      const now = parts.clock.now();
      await parts.metadata.recordBlob({ digest, size, usedAt: now, verifiedAt: now });
      await partial.close();
    } catch (error) {
      await incoming.leave(error);
      throw error;
    }
  } finally {
    room.release();
    unpin();
  }
}

class Incoming {
  readonly #partial: Partial;
  readonly #checkpoints: Checkpoints;
  readonly #occupies: (bytes: number) => void;
  #follower: DigestFollower;
  #at = 0;
  /** Bytes that were there turned out to be others: what the follower has hashed of them does not count. */
  #isRewritten = false;

  constructor(partial: Partial, clock: Clock, occupies: (bytes: number) => void) {
    this.#partial = partial;
    this.#occupies = occupies;
    // Where the map cannot be written, the next try begins earlier.
    this.#checkpoints = new Checkpoints(partial, clock, () => undefined);
    this.#follower = partial.follow();
    this.#occupies(partial.present.total);
    this.#advance();
  }

  async read(body: IncomingBlob["body"], { signal, came }: TakeInControls): Promise<void> {
    for await (const chunks of gathered(body)) {
      throwIfAborted(signal, "the import");
      const start = this.#at;
      await this.#take(chunks);
      came(this.#at - start);
    }
  }

  /** Throws `digest-mismatch`. */
  async check(): Promise<void> {
    await this.#checkpoints.stop();
    const { digest, size } = this.#partial;
    if (this.#isRewritten) {
      this.#follower.close();
      this.#follower = this.#partial.follow();
    }
    this.#follower.advance(size);
    const found = await this.#follower.digest();
    if (found === digest) return;
    const message = `The bytes that were brought for ${digest} hash to ${found}: nothing of them was kept.`;
    throw new GranaryError("digest-mismatch", message, { expected: digest, found });
  }

  /** What came of a blob that is not wrong is kept for another try. */
  async leave(error: unknown): Promise<void> {
    await this.#checkpoints.stop();
    const isUseless = error instanceof GranaryError && ["digest-mismatch", "store-full"].includes(error.code);
    if (isUseless) {
      this.#occupies(0);
      return await this.#partial.discard();
    }
    await this.#partial.checkpoint().catch(() => undefined);
    await this.#partial.close();
  }

  async #take(chunks: readonly Uint8Array[]): Promise<void> {
    const { resumed, present } = this.#partial;
    if (!resumed) return await this.#write(chunks);
    const bytes = Buffer.concat(chunks);
    const known = Math.max(0, Math.min(bytes.length, present.endOfRunAt(this.#at) - this.#at));
    await this.#compare(bytes.subarray(0, known));
    if (known < bytes.length) await this.#write([bytes.subarray(known)]);
  }

  /** Bytes that an earlier try has written: the same ones need not be written again. */
  async #compare(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return;
    const found = Buffer.alloc(bytes.length);
    const count = await this.#partial.read(this.#at, found);
    if (count === found.length && found.equals(bytes)) {
      this.#at += bytes.length;
      return;
    }
    this.#isRewritten = true;
    await this.#write([bytes]);
  }

  async #write(chunks: readonly Uint8Array[]): Promise<void> {
    const length = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const range = { start: this.#at, end: this.#at + length };
    await this.#partial.write(range.start, chunks);
    this.#partial.present.add(range);
    this.#at = range.end;
    this.#checkpoints.arrived(length);
    this.#occupies(this.#partial.present.total);
    this.#advance();
  }

  #advance(): void {
    if (!this.#isRewritten) this.#follower.advance(this.#partial.present.endOfRunAt(0));
  }
}

async function* gathered(body: IncomingBlob["body"]): AsyncGenerator<Uint8Array[]> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < WRITTEN_AT_ONCE) continue;
    yield chunks;
    chunks = [];
    bytes = 0;
  }
  if (bytes > 0) yield chunks;
}
