/**
 * Owns whose turn it is on a connection: one request is answered at a time, and what a client sends ahead of its answers
 * (pipelining) stays unread. Node parses all that arrives and makes a request and a response of each, some kilobytes for every
 * thirty bytes sent, so the bytes are handed to its parser in slices, and none while an answer is open.
 *
 * It must never hold bytes back while nothing is being answered, nor those of a body that the open request still lacks.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { SentAhead } from "./sent-ahead.ts";

export type Answer = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

export type TurnsOptions = {
  readonly answer: Answer;
  /** How long nothing may move on a connection that has sent ahead: its end cannot be seen behind what lies unread. */
  readonly silenceMs: number;
  /** Called with each connection that was closed because all clients together had sent too much ahead. */
  readonly onFlood: (socket: Socket) => void;
};

/** Most requests fit into one; of the smallest there are, not more than forty do. */
const SLICE_BYTES = 1024;
export class Turns {
  readonly #options: TurnsOptions;
  readonly #sentAhead: SentAhead;
  readonly #lines = new WeakMap<Socket, Line>();

  constructor(options: TurnsOptions, sentAhead: SentAhead) {
    this.#options = options;
    this.#sentAhead = sentAhead;
  }

  /** `event` is how `server` tells of a connection. To be called before it listens. */
  keep(server: Server, event: "connection" | "secureConnection"): void {
    // After Node's own listener, which has the parser listen to the connection.
    server.on(event, (socket: Socket) => {
      this.#lines.set(socket, new Line(socket, this.#options, this.#sentAhead));
    });
    // Whoever has no say in these is answered by Node at once, and as often as it likes.
    for (const kind of ["request", "checkContinue", "checkExpectation"]) {
      server.on(kind, (incoming: IncomingMessage, outgoing: ServerResponse) => {
        this.#lines.get(incoming.socket)?.take(incoming, outgoing);
      });
    }
  }

  /** True while a request of this connection is being answered. */
  isAnswering(socket: Socket): boolean {
    return this.#lines.get(socket)?.isAnswering === true;
  }

  /** True while bytes of this connection lie unread. */
  isAhead(socket: Socket): boolean {
    return this.#lines.get(socket)?.isAhead === true;
  }

  /** The connection speaks HTTP no more. */
  leave(socket: Socket): void {
    this.#lines.get(socket)?.leave();
    this.#lines.delete(socket);
  }
}

class Line {
  readonly #socket: Socket;
  readonly #options: TurnsOptions;
  readonly #sentAhead: SentAhead;
  /** Node's: parses what it is given. */
  readonly #parse: ((slice: Buffer) => void)[];
  readonly #read = (chunk: Buffer) => this.#feed(chunk);
  /** The request that is being answered. */
  #current: IncomingMessage | undefined;
  /** Those that came in one slice with it. */
  readonly #waiting: [IncomingMessage, ServerResponse][] = [];
  #ahead = 0;

  constructor(socket: Socket, options: TurnsOptions, sentAhead: SentAhead) {
    this.#socket = socket;
    this.#options = options;
    this.#sentAhead = sentAhead;
    this.#parse = socket.listeners("data").map((listener) => (slice: Buffer) => listener.call(socket, slice));
    socket.removeAllListeners("data");
    // That somebody listens also makes Node hand the bytes over to us, in place of reading them past us.
    socket.on("data", this.#read);
    socket.once("close", () => this.#takeBack());
  }

  get isAnswering(): boolean {
    return this.#current !== undefined;
  }

  get isAhead(): boolean {
    return this.#ahead > 0;
  }

  take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (this.#current === undefined) this.#begin(incoming, outgoing);
    else this.#waiting.push([incoming, outgoing]);
  }

  leave(): void {
    this.#socket.off("data", this.#read);
  }

  #begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.#current = incoming;
    outgoing.once("close", () => this.#ended());
    if (isToContinue(incoming)) outgoing.writeContinue();
    this.#options.answer(incoming, outgoing);
  }

  #ended(): void {
    this.#current = undefined;
    if (this.#waiting.length > 0 || this.#ahead > 0) this.#sentAhead.later(() => this.#next());
  }

  #next(): void {
    if (this.#socket.destroyed || this.#current !== undefined) return;
    const [next] = this.#waiting.splice(0, 1);
    if (next === undefined) this.#readOn();
    else this.#begin(...next);
  }

  #feed(chunk: Buffer): void {
    this.#takeBack();
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      if (this.#isBusy) {
        this.#putBack(chunk.subarray(at));
        return;
      }
      const slice = chunk.length <= SLICE_BYTES ? chunk : chunk.subarray(at, at + SLICE_BYTES);
      for (const parse of this.#parse) parse(slice);
      if (this.#socket.destroyed) return;
    }
  }

  get #isBusy(): boolean {
    const socket = this.#socket;
    // Node pauses it too, for a body that nobody takes and for answers that the client does not take, and sees to it itself then.
    return this.#isAnsweringWhole || socket.writableNeedDrain || socket.isPaused();
  }

  /** A request whose body is still under way is read on; whoever answers it decides how far. */
  get #isAnsweringWhole(): boolean {
    return this.#waiting.length > 0 || this.#current?.complete === true;
  }

  #putBack(rest: Buffer): void {
    const socket = this.#socket;
    // A paused connection is read on until it holds so much more.
    const ahead = rest.length + socket.readableHighWaterMark;
    if (!this.#sentAhead.take(ahead)) {
      this.#options.onFlood(socket);
      socket.destroy();
      return;
    }
    this.#ahead = ahead;
    // In this order: what is put back while it flows comes again at once.
    socket.pause();
    socket.unshift(rest);
    socket.setTimeout(this.#options.silenceMs);
    if (!this.#isAnsweringWhole) socket.once("drain", () => this.#readOn());
  }

  #readOn(): void {
    if (this.#ahead > 0 && !this.#isAnsweringWhole) this.#socket.resume();
  }

  #takeBack(): void {
    this.#sentAhead.giveBack(this.#ahead);
    this.#ahead = 0;
  }
}

/** RFC 9110, 10.1.1: a body that waits to be asked for. HTTP/1.0 knows no such thing. */
function isToContinue({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion === "1.1" && headers.expect?.toLowerCase() === "100-continue";
}
