/**
 * Owns a Bucket in memory, for tests and simulations: what S3 promises and no more, with knobs to be away and slow, and counts of what was asked.
 * All nodes of a simulated fleet share one, so its `close` does nothing.
 */
import { createHash, randomUUID } from "node:crypto";
import { type ByteRange, byteRange } from "../../src/bytes/byte-range.ts";
import { GranaryError } from "../../src/errors.ts";
import type { Bucket, ListedObject, ListedUpload, OpenedObject, UploadPart } from "../../src/fleet/bucket.ts";
import { checkBucket } from "../../src/fleet/s3/check-bucket.ts";
import type { Clock } from "../../src/observe/clock.ts";
import { throwIfAborted } from "../../src/waiting/abort.ts";
import { sleep } from "../../src/waiting/sleep.ts";

type Kind = Exclude<keyof Bucket, "check" | "close">;
type Held = { readonly bytes: Buffer; readonly changedAt: number };
type RunningUpload = {
  readonly key: string;
  readonly begunAt: number;
  readonly parts: Map<number, UploadPart & { bytes: Buffer }>;
};

const CHUNK = 64 * 1024;
/** S3 refuses an object of smaller parts, but for the last. */
const LEAST_PART = 5 * 2 ** 20;

export class MemoryBucket implements Bucket {
  /** Everything throws `fleet-unavailable`, and bodies break. */
  away = false;
  /** How long each request takes, ms. */
  slow = 0;
  /** How often each was asked. */
  readonly requests: Record<Kind, number> = {
    head: 0,
    open: 0,
    put: 0,
    begin: 0,
    putPart: 0,
    parts: 0,
    complete: 0,
    abort: 0,
    remove: 0,
    list: 0,
    uploads: 0,
    sign: 0,
  };
  readonly #clock: Clock;
  readonly #leastPart: number;
  readonly #objects = new Map<string, Held>();
  readonly #uploads = new Map<string, RunningUpload>();
  readonly #signed = new Map<string, { readonly key: string; readonly expiresAt: number }>();

  constructor(clock: Clock, { leastPart = LEAST_PART }: { readonly leastPart?: number } = {}) {
    this.#clock = clock;
    this.#leastPart = leastPart;
  }

  /** The bytes of an object, uncounted, for assertions. */
  bytesOf(key: string): Buffer | undefined {
    return this.#objects.get(key)?.bytes;
  }

  async head(key: string): Promise<{ readonly size: number } | undefined> {
    await this.#asked("head");
    const held = this.#objects.get(key);
    return held && { size: held.bytes.length };
  }

  async open(key: string, range: ByteRange, signal: AbortSignal): Promise<OpenedObject | undefined> {
    throwIfAborted(signal);
    await this.#asked("open");
    throwIfAborted(signal);
    const held = this.#objects.get(key);
    if (held === undefined) return undefined;
    const size = held.bytes.length;
    const start = Math.min(range.start, size);
    const came = byteRange(start, Math.max(start, Math.min(range.end, size)));
    const body = this.#body(held.bytes.subarray(came.start, came.end), signal);
    return { range: came, size, body, dismiss: () => void body.return() };
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    await this.#asked("put");
    this.#objects.set(key, { bytes: Buffer.from(bytes), changedAt: this.#clock.now() });
  }

  async begin(key: string): Promise<string> {
    await this.#asked("begin");
    const uploadId = randomUUID();
    this.#uploads.set(uploadId, { key, begunAt: this.#clock.now(), parts: new Map() });
    return uploadId;
  }

  async putPart(
    key: string,
    uploadId: string,
    number: number,
    bytes: Uint8Array,
  ): Promise<UploadPart | undefined> {
    // What was handed over may be used again as soon as the answer is there, and not before.
    await this.#asked("putPart");
    const upload = this.#upload(key, uploadId);
    if (upload === undefined) return undefined;
    if (number < 1 || number > 10_000) throw refused("has no such part number");
    const part = {
      number,
      etag: `"${createHash("md5").update(bytes).digest("hex")}"`,
      size: bytes.byteLength,
    };
    upload.parts.set(number, { ...part, bytes: Buffer.from(bytes) });
    return part;
  }

  async parts(key: string, uploadId: string): Promise<readonly UploadPart[] | undefined> {
    await this.#asked("parts");
    const parts = [...(this.#upload(key, uploadId)?.parts.values() ?? [])];
    if (this.#upload(key, uploadId) === undefined) return undefined;
    return parts
      .map(({ number, etag, size }) => ({ number, etag, size }))
      .sort((a, b) => a.number - b.number);
  }

  async complete(key: string, uploadId: string, parts: readonly UploadPart[]): Promise<boolean> {
    await this.#asked("complete");
    const upload = this.#upload(key, uploadId);
    if (upload === undefined) {
      const size = parts.reduce((sum, part) => sum + part.size, 0);
      return this.#objects.get(key)?.bytes.length === size;
    }
    const inOrder = parts.toSorted((a, b) => a.number - b.number);
    if (inOrder.length === 0) throw refused("makes no object of no parts");
    const held = inOrder.map(({ number, etag }) => {
      const part = upload.parts.get(number);
      if (part?.etag !== etag) throw refused("has no such part");
      return part.bytes;
    });
    if (held.slice(0, -1).some(({ length }) => length < this.#leastPart))
      throw refused("takes no part so small");
    this.#uploads.delete(uploadId);
    this.#objects.set(key, { bytes: Buffer.concat(held), changedAt: this.#clock.now() });
    return true;
  }

  async abort(key: string, uploadId: string): Promise<void> {
    await this.#asked("abort");
    if (this.#upload(key, uploadId) !== undefined) this.#uploads.delete(uploadId);
  }

  async remove(keys: readonly string[]): Promise<void> {
    await this.#asked("remove");
    for (const key of keys) this.#objects.delete(key);
  }

  async *list(prefix: string): AsyncGenerator<ListedObject, void, undefined> {
    await this.#asked("list");
    const keys = [...this.#objects.keys()].filter((key) => key.startsWith(prefix)).sort(byBytes);
    for (const key of keys) {
      this.#throwIfAway();
      const held = this.#objects.get(key);
      if (held !== undefined) yield { key, size: held.bytes.length, changedAt: held.changedAt };
    }
  }

  async *uploads(prefix: string): AsyncGenerator<ListedUpload, void, undefined> {
    await this.#asked("uploads");
    const uploads = [...this.#uploads].filter(([, { key }]) => key.startsWith(prefix));
    for (const [uploadId, { key, begunAt }] of uploads.sort(([, a], [, b]) => byBytes(a.key, b.key))) {
      this.#throwIfAway();
      if (this.#uploads.has(uploadId)) yield { key, uploadId, begunAt };
    }
  }

  /** Such an address works with `get` alone. */
  async sign(key: string, forMs: number): Promise<{ readonly url: string; readonly expiresAt: number }> {
    this.requests.sign++;
    const url = `http://memory.invalid/${key}?signature=${randomUUID()}`;
    const expiresAt = this.#clock.now() + forMs;
    this.#signed.set(url, { key, expiresAt });
    return { url, expiresAt };
  }

  /** What a GET of a signed address answers. */
  get(url: string): { readonly status: number; readonly bytes: Buffer } {
    const { key, expiresAt } = this.#signed.get(url) ?? { key: "", expiresAt: 0 };
    const bytes = this.#objects.get(key)?.bytes;
    if (expiresAt <= this.#clock.now()) return { status: 403, bytes: Buffer.alloc(0) };
    return bytes === undefined ? { status: 404, bytes: Buffer.alloc(0) } : { status: 200, bytes };
  }

  check(): Promise<void> {
    return checkBucket(this, "in memory");
  }

  async close(): Promise<void> {}

  async #asked(kind: Kind): Promise<void> {
    this.requests[kind]++;
    if (this.slow > 0) await sleep(this.slow, this.#clock);
    this.#throwIfAway();
  }

  #throwIfAway(): void {
    if (this.away)
      throw new GranaryError("fleet-unavailable", "The store in memory is away, because a test said so.");
  }

  #upload(key: string, uploadId: string): RunningUpload | undefined {
    const upload = this.#uploads.get(uploadId);
    return upload?.key === key ? upload : undefined;
  }

  async *#body(bytes: Buffer, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      throwIfAborted(signal);
      this.#throwIfAway();
      yield bytes.subarray(at, at + CHUNK);
    }
  }
}

function refused(what: string): GranaryError {
  return new GranaryError("fleet-unavailable", `The store in memory ${what}.`);
}

/** As S3 sorts: by the bytes of UTF-8. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
