/**
 * Owns the order of requests on a connection: one is answered at a time, and what a client sends ahead of its answers (pipelining) stays
 * unread. Node parses everything that arrives, and makes a request and a response of some kilobytes for every thirty bytes sent. So its
 * parser gets the bytes in slices, and none while an answer is open.
 *
 * A request that came with the same bytes before may be answered without the parser: it is left out only where it stands between two requests, so
 * that it would have read exactly this one.
 *
 * It must never keep bytes from the parser while nothing is being answered, nor the bytes of a body that the open request still waits for.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { AnswersAtOnce } from "../registry/answers-at-once.ts";
import type { SentAhead } from "./sent-ahead.ts";

export type RequestListener = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

/** Gives the answers that need no parser (registry/answers-at-once.ts). */
export type AtOnce = Pick<AnswersAtOnce, "learn" | "answer">;

type TurnsOptions = {
  readonly answer: RequestListener;
  /** Undefined where every request goes all the way. */
  readonly atOnce?: AtOnce | undefined;
  /** How long nothing may move on a connection that has sent ahead: while bytes are unread, its end cannot be seen. */
  readonly silenceMs: number;
  /** Called with each connection that was closed because all clients together had sent too much ahead. */
  readonly onFlood: (socket: Socket) => void;
};

/** Most requests fit into one slice, and no more than forty of the smallest possible ones. */
const SLICE_BYTES = 1024;
export class Turns {
  readonly #options: TurnsOptions;
  readonly #sentAhead: SentAhead;
  readonly #lines = new WeakMap<Socket, Line>();

  constructor(options: TurnsOptions, sentAhead: SentAhead) {
    this.#options = options;
    this.#sentAhead = sentAhead;
  }

  /** `event` is the one with which `server` announces a connection. To be called before it listens. */
  keep(server: Server, event: "connection" | "secureConnection"): void {
    // After Node's own listener, which has the parser listen to the connection.
    server.on(event, (socket: Socket) => {
      this.#lines.set(socket, new Line(socket, this.#options, this.#sentAhead));
    });
    // Without a listener, Node answers the last two by itself, at once and out of turn.
    for (const kind of ["request", "checkContinue", "checkExpectation"]) {
      server.on(kind, (incoming: IncomingMessage, outgoing: ServerResponse) => {
        this.#lines.get(incoming.socket)?.take(incoming, outgoing);
      });
    }
  }

  /** False for a connection that does not speak HTTP yet, or any more. */
  has(socket: Socket): boolean {
    return this.#lines.has(socket);
  }

  /** True while a request of this connection is being answered. */
  isAnswering(socket: Socket): boolean {
    return this.#lines.get(socket)?.isAnswering === true;
  }

  /** True while bytes of this connection lie unread. */
  isAhead(socket: Socket): boolean {
    return this.#lines.get(socket)?.isAhead === true;
  }

  /** True while more of what was begun may come: the body of the request that is being answered, or what lies unread. */
  isSending(socket: Socket): boolean {
    return this.#lines.get(socket)?.isSending === true;
  }

  /** True while the body of the request that is being answered is still coming. */
  isMidBody(socket: Socket): boolean {
    return this.#lines.get(socket)?.isMidBody === true;
  }

  /** To be called when a connection stops to speak HTTP: what it sends is not parsed any more, and what was parsed is not answered. */
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
  readonly #drained = () => this.#readOn();
  /** The request that is being answered. */
  #current: IncomingMessage | undefined;
  /** Requests that were in one slice with it. */
  readonly #waiting: [IncomingMessage, ServerResponse][] = [];
  #ahead = 0;
  /** How many requests the parser has read, and the last one. */
  #taken = 0;
  #last: IncomingMessage | undefined;
  /** So far each chunk was one whole request without a body, so the parser stands between two of them. */
  #isOneByOne = true;
  /** An answer that needed no parser is being written. */
  #isWriting = false;
  /** It speaks HTTP no more. */
  #isLeft = false;

  constructor(socket: Socket, options: TurnsOptions, sentAhead: SentAhead) {
    this.#socket = socket;
    this.#options = options;
    this.#sentAhead = sentAhead;
    this.#parse = socket.listeners("data").map((listener) => (slice: Buffer) => listener.call(socket, slice));
    socket.removeAllListeners("data");
    // With a listener, Node gives the bytes to us instead of reading them in its own native code.
    socket.on("data", this.#read);
    socket.once("close", () => this.#takeBack());
  }

  get isAnswering(): boolean {
    return this.#current !== undefined || this.#isWriting;
  }

  get isAhead(): boolean {
    return this.#ahead > 0;
  }

  take(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.#taken += 1;
    this.#last = incoming;
    if (this.#current === undefined) this.#begin(incoming, outgoing);
    else this.#waiting.push([incoming, outgoing]);
  }

  get isSending(): boolean {
    return this.isMidBody || this.#waiting.length > 0 || this.isAhead;
  }

  get isMidBody(): boolean {
    return this.#current?.complete === false;
  }

  leave(): void {
    this.#isLeft = true;
    this.#socket.off("data", this.#read);
    this.#waiting.length = 0;
    this.#takeBack();
  }

  #begin(incoming: IncomingMessage, outgoing: ServerResponse): void {
    this.#current = incoming;
    outgoing.once("close", () => this.#ended());
    if (isToContinue(incoming)) outgoing.writeContinue();
    this.#options.answer(incoming, outgoing);
  }

  #ended(): void {
    this.#current = undefined;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#waiting.length > 0 || this.#ahead > 0) this.#sentAhead.later(() => this.#next());
  }

  #next(): void {
    if (this.#socket.destroyed || this.isAnswering) return;
    const [next] = this.#waiting.splice(0, 1);
    if (next === undefined) this.#readOn();
    else this.#begin(...next);
  }

  #feed(chunk: Buffer): void {
    this.#takeBack();
    const { atOnce } = this.#options;
    const head = atOnce && this.#isOneByOne ? wholeHead(chunk) : undefined;
    if (atOnce === undefined || head === undefined) {
      this.#isOneByOne = false;
      this.#parseAll(chunk);
      return;
    }
    if (!this.#isBusy && this.#mayLeaveOut && this.#writeAtOnce(head, atOnce)) return;
    const before = this.#taken;
    this.#parseAll(chunk);
    const last = this.#last;
    this.#isOneByOne = this.#taken === before + 1 && last?.complete === true;
    if (this.#isOneByOne && last !== undefined) atOnce.learn(head, last);
  }

  /** The first request of a connection is always the parser's: its limits on time begin with the connection. */
  get #mayLeaveOut(): boolean {
    return this.#taken > 0 && !this.isAnswering;
  }

  /** False where the request has to go all the way. */
  #writeAtOnce(head: string, atOnce: AtOnce): boolean {
    const answer = atOnce.answer(head, this.#socket.remoteAddress);
    if (answer === undefined) return false;
    this.#isWriting = true;
    this.#socket.write(answer.text, "latin1", (error) => {
      answer.over(error === undefined || error === null);
      this.#isWriting = false;
      this.#goOn();
    });
    return true;
  }

  #parseAll(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES) {
      if (this.#isBusy) {
        this.#putBack(chunk.subarray(at));
        return;
      }
      const slice = chunk.length <= SLICE_BYTES ? chunk : chunk.subarray(at, at + SLICE_BYTES);
      for (const parse of this.#parse) parse(slice);
      if (this.#socket.destroyed) return;
      if (!this.#isLeft) continue;
      this.#giveOn(chunk.subarray(at + slice.length));
      return;
    }
  }

  /** To whoever has the connection now. */
  #giveOn(rest: Buffer): void {
    if (rest.length > 0) this.#socket.unshift(rest);
  }

  get #isBusy(): boolean {
    const socket = this.#socket;
    // Node itself pauses a connection for a body that nobody reads or answers that the client does not read, and resumes it then.
    return this.#isAnsweringWhole || socket.writableNeedDrain || socket.isPaused();
  }

  /** False while the body of the request is still arriving: it is read on, as far as the code that answers it wants. */
  get #isAnsweringWhole(): boolean {
    return this.#isWriting || this.#waiting.length > 0 || this.#current?.complete === true;
  }

  #putBack(rest: Buffer): void {
    const socket = this.#socket;
    // A paused connection still reads until its buffer is full.
    const ahead = rest.length + socket.readableHighWaterMark;
    if (!this.#sentAhead.take(ahead)) {
      this.#options.onFlood(socket);
      socket.destroy();
      return;
    }
    this.#ahead = ahead;
    // In this order: bytes that are put back into a flowing stream come again at once.
    socket.pause();
    socket.unshift(rest);
    socket.setTimeout(this.#options.silenceMs);
    if (!this.#isAnsweringWhole) this.#readOnWhenDrained();
  }

  /** Where Node paused the connection for a body that is read slowly, Node resumes it: nothing is being written then that could drain. */
  #readOnWhenDrained(): void {
    const socket = this.#socket;
    if (!socket.writableNeedDrain || socket.listeners("drain").includes(this.#drained)) return;
    socket.once("drain", this.#drained);
  }

  #readOn(): void {
    if (this.#ahead > 0 && !this.#isAnsweringWhole) this.#socket.resume();
  }

  #takeBack(): void {
    if (this.#ahead === 0) return;
    this.#sentAhead.giveBack(this.#ahead);
    this.#ahead = 0;
  }
}

const END_OF_HEAD = "\r\n\r\n";

/** The chunk as text, one character for each byte, where it can be the whole head of one request; else undefined. */
function wholeHead(chunk: Buffer): string | undefined {
  if (chunk.length > SLICE_BYTES) return undefined;
  const text = chunk.toString("latin1");
  return text.indexOf(END_OF_HEAD) === text.length - END_OF_HEAD.length ? text : undefined;
}

/** RFC 9110, 10.1.1: a body that waits to be asked for. HTTP/1.0 knows no such thing. */
function isToContinue({ httpVersion, headers }: IncomingMessage): boolean {
  return httpVersion === "1.1" && headers.expect?.toLowerCase() === "100-continue";
}
