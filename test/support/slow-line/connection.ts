/**
 * Owns one connection through a slow line: the client's socket, the one to the target, and a pipe each way. How it ends is
 * decided when it begins; a half-close of either side reaches the other.
 */
import { connect, type Socket } from "node:net";
import type { Bottleneck } from "./bottleneck.ts";
import { Pace } from "./pace.ts";
import { Pipe } from "./pipe.ts";
import type { LineSettings } from "./settings.ts";

export type Place = { readonly host: string; readonly port: number };

/** What becomes of a connection once it has carried `after` bytes from its target. */
export type Fate = { readonly after: number; readonly kind: "reset" | "end" | "stall" };

export type ConnectionOptions = {
  readonly client: Socket;
  readonly target: Place;
  readonly settings: () => LineSettings;
  readonly fate: Fate | undefined;
  /** The ways from the targets and to them. */
  readonly down: Bottleneck;
  readonly up: Bottleneck;
  /** So many bytes went on to the client. */
  readonly carried: (bytes: number) => void;
  readonly closed: () => void;
};

export class LineConnection {
  readonly #options: ConnectionOptions;
  readonly #onward: Socket;
  readonly #pace: Pace;
  readonly #down: Pipe;
  readonly #up: Pipe;
  #isStalled = false;
  #isBroken = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { client, target, settings, fate } = options;
    this.#onward = connect({ ...target, allowHalfOpen: true, noDelay: true });
    client.setNoDelay(true);
    this.#pace = new Pace(settings().ratePerConnection);
    const opensAt = performance.now() + settings().delayMs;
    const travelMs = () => settings().delayMs / 2;
    this.#down = new Pipe({
      from: this.#onward,
      to: client,
      bottleneck: options.down,
      pace: this.#pace,
      travelMs,
      opensAt,
      limit: fate?.after ?? Number.POSITIVE_INFINITY,
      carried: options.carried,
      spent: () => this.#meetFate(),
      ended: () => this.#targetLeft(),
    });
    this.#up = new Pipe({
      from: client,
      to: this.#onward,
      bottleneck: options.up,
      pace: new Pace(undefined),
      travelMs,
      opensAt,
      limit: Number.POSITIVE_INFINITY,
      carried: () => undefined,
      spent: () => undefined,
      ended: () => this.#onward.end(),
    });
    this.#watch();
    client.resume();
  }

  /** The settings changed. */
  settingsChanged(): void {
    const rate = this.#options.settings().ratePerConnection;
    if (rate !== this.#pace.rate) this.#pace.change(rate, performance.now());
  }

  /** Goes on after a standstill of the line. */
  nudge(): void {
    this.#down.nudge();
    this.#up.nudge();
  }

  /** Both sides find the connection broken; what was under way is lost. */
  cut(): void {
    reset(this.#options.client);
  }

  #watch(): void {
    const { client } = this.#options;
    // Errors end in `close`, where they are dealt with.
    client.on("error", () => undefined);
    this.#onward.on("error", () => {
      this.#isBroken = true;
    });
    client.once("end", () => {
      // Nothing is ever written to it again that would show that the client is gone.
      if (this.#isStalled) client.destroy();
    });
    client.once("close", () => {
      this.#down.close();
      this.#up.close();
      reset(this.#onward);
      this.#options.closed();
    });
  }

  /** Called again when the target is gone altogether. */
  #targetLeft(): void {
    const { client } = this.#options;
    if (this.#isBroken) reset(client);
    else if (this.#onward.destroyed) client.destroySoon();
    else client.end();
  }

  #meetFate(): void {
    const { client, fate } = this.#options;
    if (fate?.kind === "end") client.end(() => client.destroy());
    else if (fate?.kind === "reset") this.cut();
    else this.#isStalled = true;
  }
}

/**
 * By itself, Node waits until all that was written has left, which to a peer that is out of reach is minutes; and a connection that is being ended
 * cannot be reset: it would stay open for ever.
 */
function reset(socket: Socket): void {
  if (!socket.writableEnded) socket.resetAndDestroy();
  socket.destroy();
}
