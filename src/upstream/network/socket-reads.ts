/**
 * Owns the memory into which sockets to upstreams are read. Node by itself takes 64 KiB for each read and hands each over, and each TLS record
 * of 16 KiB; that costs a tenth of a fill's processor time. Here a read takes up to 256 KiB, and records that come together are handed over
 * together. It knows nothing of HTTP.
 */
import type { OnReadOpts, Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { newSlab, Slab } from "../../bytes/slab.ts";

/** Of a connection that brings little. */
const SMALL = 64 * 1024;
/** Of one that brings much at once. */
const LARGE = 256 * 1024;
/** With less room than a TLS record has, another slab is begun. */
const LEAST_ROOM = 16 * 1024;
/** A read of at least so much shows that more is on its way. */
const FULL_RECORD = 16 * 1024;
/** At most so much of TLS waits for the end of this turn of the event loop: it would be lost with a connection that is reset. */
const MOST_MERGED = 128 * 1024;

/** So much of what nobody takes is read before a socket is paused. Small, because chunks that wait together are joined, with a copy. */
const READ_AHEAD = 128 * 1024;

/** The options with which sockets are made. One serves any number of them. */
export function readInSlabs(): { readonly highWaterMark: number; readonly onread: OnReadOpts } {
  return { highWaterMark: READ_AHEAD, onread: onread() };
}

function onread(): OnReadOpts {
  const readers = new WeakMap<Socket, SocketReader>();
  let next: Uint8Array | undefined;
  return {
    /** Node asks for it at the start of a socket, and right after each callback. */
    buffer() {
      const room = next ?? Buffer.allocUnsafeSlow(SMALL);
      next = undefined;
      return room;
    },
    callback(this: Socket, bytes, into) {
      let reader = readers.get(this);
      if (reader === undefined) {
        reader = new SocketReader(this, into as Uint8Array<ArrayBuffer>);
        readers.set(this, reader);
      }
      const isReady = reader.came(bytes);
      next = reader.room;
      return isReady;
    },
  };
}

class SocketReader {
  readonly #socket: Socket;
  readonly #isTls: boolean;
  readonly #push: (chunk: unknown) => boolean;
  #slab: Slab;
  /** Reads into this slab so far. */
  #reads = 0;
  #isPlanned = false;

  constructor(socket: Socket, first: Uint8Array<ArrayBuffer>) {
    this.#socket = socket;
    this.#isTls = socket instanceof TLSSocket;
    this.#push = socket.push.bind(socket);
    this.#slab = new Slab(first);
    // The end of the stream comes after what waits here.
    socket.push = (chunk: unknown) => {
      this.#handOver();
      return this.#push(chunk);
    };
  }

  get room(): Uint8Array {
    return this.#slab.room;
  }

  /** False when the socket is to be read no further for now. */
  came(bytes: number): boolean {
    const slab = this.#slab;
    this.#reads += 1;
    slab.came(bytes);
    const hasRoom = slab.left >= LEAST_ROOM;
    if (this.#isTls && bytes >= FULL_RECORD && slab.waiting < MOST_MERGED && hasRoom) this.#plan();
    else this.#handOver();
    if (!hasRoom) this.#next();
    return this.#socket.readableLength + this.#slab.waiting < this.#socket.readableHighWaterMark;
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    setImmediate(() => {
      this.#isPlanned = false;
      this.#handOver();
    });
  }

  #handOver(): void {
    if (this.#slab.waiting > 0) this.#push(this.#slab.take());
  }

  #next(): void {
    const isMuch = this.#slab.length / this.#reads >= FULL_RECORD;
    this.#slab.fill();
    this.#slab = newSlab(isMuch ? LARGE : SMALL);
    this.#reads = 0;
  }
}
