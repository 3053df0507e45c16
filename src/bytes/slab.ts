/**
 * Owns slabs: memory that is filled piece by piece by whoever reads from a socket, handed out as chunks, and used again once every chunk was
 * given back. Left to the garbage collector, buffers that live for milliseconds and lie outside of V8's heap cause a full collection every
 * few MiB. A slab of which a part is never given back is left to the collector: that costs time, and never a byte.
 */

/** Unused memory that is kept for the next slabs of the same size, bytes. */
const MOST_SPARE = 4 * 1024 * 1024;

const slabs = new WeakMap<ArrayBufferLike, Slab>();
const spare: ArrayBuffer[] = [];

export class Slab {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** Where the bytes begin that were not handed out yet, and where they end. */
  #start = 0;
  #end = 0;
  /** Bytes that were handed out and not given back. */
  #out = 0;
  #isFilled = false;

  /** `bytes` are all of their buffer. */
  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    slabs.set(bytes.buffer, this);
  }

  /** What has room for the next bytes. */
  get room(): Uint8Array {
    return this.#bytes.subarray(this.#end);
  }

  /** How many more bytes there is room for. */
  get left(): number {
    return this.#bytes.length - this.#end;
  }

  /** Bytes so far. */
  get length(): number {
    return this.#end;
  }

  /** Bytes that can be taken. */
  get waiting(): number {
    return this.#end - this.#start;
  }

  /** The first `bytes` of `room` have come. */
  came(bytes: number): void {
    this.#end += bytes;
  }

  /** Hands out what has come: it belongs to the caller. */
  take(): Uint8Array {
    const chunk = this.#bytes.subarray(this.#start, this.#end);
    this.#out += chunk.length;
    this.#start = this.#end;
    return chunk;
  }

  /** Nothing more will come into it. */
  fill(): void {
    this.#isFilled = true;
    this.#reuse();
  }

  givenBack(bytes: number): void {
    this.#out -= bytes;
    this.#reuse();
  }

  #reuse(): void {
    if (this.#isFilled && this.#out === 0) recycle(this.#bytes.buffer);
  }
}

/** A slab of `bytes`, which may hold anything. */
export function newSlab(bytes: number): Slab {
  const at = spare.findIndex(({ byteLength }) => byteLength === bytes);
  const [used] = at < 0 ? [] : spare.splice(at, 1);
  return new Slab(used === undefined ? Buffer.allocUnsafeSlow(bytes) : new Uint8Array(used));
}

/** The bytes of `chunk` are not needed any more by anybody: its memory may be used again, and every view of it then ends. */
export function giveBack(chunk: Uint8Array): void {
  const { buffer } = chunk;
  const slab = slabs.get(buffer);
  if (slab !== undefined) slab.givenBack(chunk.byteLength);
  else if (buffer instanceof ArrayBuffer && chunk.byteLength === buffer.byteLength) buffer.transfer(0);
}

/** A buffer of its own over the same memory: old views of it are empty from now on, and can show nobody what comes next. */
function recycle(buffer: ArrayBuffer): void {
  const held = spare.reduce((sum, { byteLength }) => sum + byteLength, 0);
  if (held + buffer.byteLength > MOST_SPARE) buffer.transfer(0);
  else spare.push(buffer.transfer());
}
