/**
 * Owns how many may listen to events at one moment, in all and from one address: each costs a connection, and what it has not read yet. One
 * address cannot take the places of all others.
 */
import { GranaryError } from "../../errors.ts";
import { isOwnMachine, networkOf } from "../client-network.ts";

const MOST = 200;
/** A browser holds up to six connections, and several people may come from one address. */
const MOST_OF_ADDRESS = 16;
/** Commands come from here, and everybody who comes through a reverse proxy of this machine. */
const MOST_OF_MACHINE = 100;

export class EventListeners {
  readonly #retryMs: number;
  readonly #byNetwork = new Map<string, number>();
  #all = 0;

  /** `retryMs`: what who is refused is told to wait. */
  constructor(retryMs: number) {
    this.#retryMs = retryMs;
  }

  /** Counts one of `client` until the returned function is called, once. Throws `rate-limited` when there is no place for it. */
  enter(client: string | undefined): () => void {
    const isHere = isOwnMachine(client);
    const network = isHere ? "this machine" : networkOf(client);
    const own = this.#byNetwork.get(network) ?? 0;
    const most = isHere ? MOST_OF_MACHINE : MOST_OF_ADDRESS;
    if (own >= most) throw this.#refused(`from your address already, the most that one address may have`);
    if (this.#all >= MOST) throw this.#refused("already, the most that there may be");
    this.#all += 1;
    this.#byNetwork.set(network, own + 1);
    return () => this.#left(network);
  }

  #left(network: string): void {
    this.#all -= 1;
    const rest = (this.#byNetwork.get(network) ?? 1) - 1;
    if (rest > 0) this.#byNetwork.set(network, rest);
    else this.#byNetwork.delete(network);
  }

  #refused(why: string): GranaryError {
    const text = `Too many listen to events ${why}: close a page of Granary or a command that follows events, or try again later.`;
    return new GranaryError("rate-limited", text, { retryAfterMs: this.#retryMs });
  }
}
