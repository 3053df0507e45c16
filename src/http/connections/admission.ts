/**
 * Owns how many connections clients may have, in all and from one address. One that is too many is answered in words, after its
 * request was read, so that status pages stay within reach; those beyond a few such are closed unread.
 */
import type { Socket } from "node:net";
import ipaddr from "ipaddr.js";

export type ConnectionLimits = {
  readonly maxConnections: number;
  readonly maxConnectionsPerAddress: number;
};

/** Which limit a connection is beyond. */
export type Excess = "maxConnections" | "maxConnectionsPerAddress";

/** How many beyond a limit are heard. */
const HEARD = 32;

/** What all listeners of a process share. */
export class Admission {
  readonly #limits: ConnectionLimits;
  /** Called with each connection that is beyond a limit. */
  readonly #onExcess: (excess: Excess, address: string) => void;
  readonly #perAddress = new Map<string, number>();
  #all = 0;

  constructor(limits: ConnectionLimits, onExcess: (excess: Excess, address: string) => void) {
    this.#limits = limits;
    this.#onExcess = onExcess;
  }

  /**
   * Counts a connection until it is closed. Tells the limit that it is beyond, if any; destroys one of which not even the request
   * shall be read.
   */
  admit(socket: Socket): Excess | undefined {
    const address = networkOf(socket.remoteAddress);
    const all = ++this.#all;
    const own = (this.#perAddress.get(address) ?? 0) + 1;
    this.#perAddress.set(address, own);
    socket.once("close", () => this.#left(address));
    const { maxConnections, maxConnectionsPerAddress } = this.#limits;
    const beyondOwn = own - maxConnectionsPerAddress;
    const beyondAll = all - maxConnections;
    if (beyondOwn <= 0 && beyondAll <= 0) return undefined;
    const excess = beyondOwn > 0 ? "maxConnectionsPerAddress" : "maxConnections";
    this.#onExcess(excess, address);
    if (Math.max(beyondOwn, beyondAll) > HEARD) socket.destroy();
    return excess;
  }

  #left(address: string): void {
    this.#all--;
    const own = (this.#perAddress.get(address) ?? 1) - 1;
    if (own > 0) this.#perAddress.set(address, own);
    else this.#perAddress.delete(address);
  }
}

/** Whoever has an IPv6 network has more addresses in it than there are connections: the network counts as one. */
export function networkOf(address: string | undefined): string {
  if (address === undefined || !ipaddr.isValid(address)) return address ?? "";
  const parsed = ipaddr.process(address);
  if (parsed instanceof ipaddr.IPv4) return parsed.toString();
  const network = parsed.parts.slice(0, 4).map((part) => part.toString(16));
  return `${network.join(":")}::/64`;
}
