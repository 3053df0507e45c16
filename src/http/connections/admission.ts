/**
 * Owns how many connections clients may have, in all and from one address, and what becomes of those that are too many: the one request of
 * each is read and refused with the advice to come back, unless it asks for a status page, which has to stay within reach. Those far beyond
 * a limit are closed unread.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../observe/clock.ts";
import { statusPageOf } from "../admin/status-pages.ts";
import { refuse } from "../answers/respond.ts";
import { networkOf } from "../client-network.ts";
import type { RequestListener } from "./turns.ts";

export type ConnectionLimits = {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
};

/** Which limit a connection is beyond. */
type Excess = keyof ConnectionLimits;

/** How many connections beyond a limit have their request read. */
const MOST_READ = 32;
/** How long a connection that is too many may take for its one request. */
const PATIENCE_MS = 5_000;
const RETRY_SECONDS = 5;

/** What all listeners of a process share. */
export class Admission {
  #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #onExcess: (excess: Excess, address: string) => void;
  readonly #perAddress = new Map<string, number>();
  #all = 0;
  /** The connections beyond a limit, by `keyOf`, and which limit. */
  readonly #beyond = new Map<string, Excess>();

  /** `onExcess` is called with each connection that is beyond a limit. */
  constructor(limits: ConnectionLimits, clock: Clock, onExcess: (excess: Excess, address: string) => void) {
    this.#limits = limits;
    this.#clock = clock;
    this.#onExcess = onExcess;
  }

  get limits(): ConnectionLimits {
    return this.#limits;
  }

  /** Count for connections that are made from now on. */
  renew(limits: ConnectionLimits): void {
    this.#limits = limits;
  }

  /** To be called before `server` listens. Counts plain connections, whatever is spoken over them. */
  watch(server: Server): void {
    server.prependListener("connection", (socket: Socket) => {
      const excess = this.#admit(socket);
      if (excess === undefined || socket.destroyed) return;
      const key = keyOf(socket);
      this.#beyond.set(key, excess);
      const timer = this.#clock.after(PATIENCE_MS, () => socket.destroy());
      socket.once("close", () => {
        timer.cancel();
        this.#beyond.delete(key);
      });
    });
  }

  /** `answer`, for connections that are within the limits. */
  guard(answer: RequestListener): RequestListener {
    return (incoming, outgoing) => {
      const excess = this.#beyond.size === 0 ? undefined : this.#beyond.get(keyOf(incoming.socket));
      if (excess !== undefined) outgoing.shouldKeepAlive = false;
      if (excess === undefined || asksForStatus(incoming)) answer(incoming, outgoing);
      else refuseExcess(outgoing, excess);
    };
  }

  /** True for a connection that is beyond a limit: nothing but a refusal is for it. */
  isBeyond(socket: Socket): boolean {
    return this.#beyond.size > 0 && this.#beyond.has(keyOf(socket));
  }

  /** Counts a connection until it is closed. Tells the limit that it is beyond, if any; destroys one whose request is not to be read. */
  #admit(socket: Socket): Excess | undefined {
    const address = networkOf(socket.remoteAddress);
    const all = ++this.#all;
    const own = (this.#perAddress.get(address) ?? 0) + 1;
    this.#perAddress.set(address, own);
    socket.once("close", () => this.#forget(address));
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const beyondOwn = own - maxConnectionsPerAddress;
    const beyondAll = all - maxConnections;
    if (beyondOwn <= 0 && beyondAll <= 0) return undefined;
    const excess = beyondOwn > 0 ? "maxConnectionsPerAddress" : "maxConnections";
    this.#onExcess(excess, address);
    if (Math.max(beyondOwn, beyondAll) > MOST_READ) socket.destroy();
    return excess;
  }

  #forget(address: string): void {
    this.#all--;
    const own = (this.#perAddress.get(address) ?? 1) - 1;
    if (own > 0) this.#perAddress.set(address, own);
    else this.#perAddress.delete(address);
  }
}

/** The socket of a request over TLS is another object than its plain connection; the addresses are the same. */
function keyOf({ remoteAddress, remotePort, localPort }: Socket): string {
  return `${remoteAddress} ${remotePort} ${localPort}`;
}

function asksForStatus({ url = "" }: IncomingMessage): boolean {
  return statusPageOf(url.split("?")[0] ?? "") !== undefined;
}

function refuseExcess(outgoing: ServerResponse, excess: Excess): void {
  const who = excess === "maxConnections" ? "from all clients" : "from your address";
  const message = `there are too many connections ${who} (clients.${excess}); come back in ${RETRY_SECONDS} seconds`;
  refuse({ outgoing }, 503, ["UNAVAILABLE", message], ["Retry-After", String(RETRY_SECONDS)]);
}
