/**
 * Owns the one slow line of the tests: a TCP proxy on loopback in front of any number of addresses that share it, with a rate,
 * a delay, connections that break or stall, a limit of them, and outages. Its settings change while it runs, and it keeps an
 * account. It carries bytes as they are and never speaks a protocol; it holds a bounded number of them.
 */
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { seededRandom } from "../simulation/seeded-random.ts";
import { Bottleneck } from "./slow-line/bottleneck.ts";
import { type Fate, LineConnection, type Place } from "./slow-line/connection.ts";
import { type EndSetting, type LineSettings, PLAIN_LINE } from "./slow-line/settings.ts";

export type { Place } from "./slow-line/connection.ts";
export type { LineSettings } from "./slow-line/settings.ts";

/** `refused`: all connections are cut and new ones refused, as of a host that went down. `silent`: nothing moves. */
export type Outage = "refused" | "silent";

/** The account of a line, or of one of its fronts. Bytes are those that went on to clients. */
export type LineAccount = {
  carried: number;
  /** Connections that were made to a target. */
  opened: number;
  /** Connections beyond the limit that were reset. */
  refused: number;
  /** The most connections to targets at one moment. */
  most: number;
  /** When the last byte went on, of `performance.now()`. */
  lastByteAt: number | undefined;
};

/** One address of the line; everything that connects to it is carried to `target`. */
export type Front = Place & { readonly target: Place; readonly account: LineAccount };

type OpenFront = Front & { server: Server | undefined; readonly mutable: { port: number } };
type Waiting = { readonly client: Socket; readonly front: OpenFront };

/** Another process may have taken the port of a line that was away; it is waited for. */
const PORT_TRIES = 100;

export class SlowLine {
  readonly account: LineAccount = emptyAccount();
  readonly #fronts: OpenFront[] = [];
  readonly #connections = new Map<LineConnection, OpenFront>();
  readonly #waiting = new Set<Waiting>();
  readonly #down = new Bottleneck();
  readonly #up = new Bottleneck();
  readonly #random: () => number;
  #settings: LineSettings = PLAIN_LINE;
  #outage: Outage | undefined;
  #counts = { cut: 0, stall: 0 };

  /** `seed` decides what is drawn between bounds. */
  constructor(settings: Partial<LineSettings> = {}, seed = 1) {
    this.#random = seededRandom(seed);
    this.set(settings);
  }

  get settings(): LineSettings {
    return this.#settings;
  }

  /** Connections to targets now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Rates, delay and limit hold at once; how connections end, for those that come. Nothing else changes. */
  set(settings: Partial<LineSettings>): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#down.change(this.#settings.rate);
    for (const connection of this.#connections.keys()) connection.settingsChanged();
    this.#admitWaiting();
  }

  /** A new address in front of `target`, by default on the target's own host, with a port of its own. */
  async front(target: Place, listen: Partial<Place> = {}): Promise<Front> {
    const { host = target.host, port = 0 } = listen;
    const mutable = { port };
    const front: OpenFront = {
      host,
      target,
      account: emptyAccount(),
      server: undefined,
      mutable,
      get port() {
        return mutable.port;
      },
    };
    await this.#listen(front);
    this.#fronts.push(front);
    return front;
  }

  /** Every connection breaks; new ones are taken. */
  cutAll(): void {
    for (const connection of this.#connections.keys()) connection.cut();
  }

  /** The line goes away until `back`. */
  async away(outage: Outage = "refused"): Promise<void> {
    this.#outage = outage;
    if (outage === "silent") {
      this.#down.freeze();
      this.#up.freeze();
    } else {
      await Promise.all(this.#fronts.map((front) => this.#unlisten(front)));
    }
  }

  /** The line is there again, on the same ports. */
  async back(): Promise<void> {
    if (this.#outage === undefined) return;
    this.#outage = undefined;
    await Promise.all(this.#fronts.map((front) => this.#listen(front)));
    this.#down.thaw();
    this.#up.thaw();
    for (const connection of this.#connections.keys()) connection.nudge();
    this.#admitWaiting();
  }

  async close(): Promise<void> {
    await Promise.all(this.#fronts.splice(0).map((front) => this.#unlisten(front)));
    this.#down.close();
    this.#up.close();
  }

  async #listen(front: OpenFront): Promise<void> {
    if (front.server !== undefined) return;
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) =>
      this.#take(client, front),
    );
    front.mutable.port = await listenOn(server, front);
    front.server = server;
  }

  async #unlisten(front: OpenFront): Promise<void> {
    const { server } = front;
    front.server = undefined;
    const closed = new Promise((resolve) =>
      server === undefined ? resolve(undefined) : server.close(resolve),
    );
    for (const waiting of this.#waiting) if (waiting.front === front) waiting.client.resetAndDestroy();
    for (const [connection, of] of this.#connections) if (of === front) connection.cut();
    await closed;
  }

  #take(client: Socket, front: OpenFront): void {
    client.on("error", () => undefined);
    const isDead = this.#outage === "silent";
    if (!isDead && this.#hasRoom(front)) this.#connect(client, front);
    else if (!isDead && this.#settings.limit?.beyond === "refuse") this.#refuse(client, front);
    else this.#wait(client, front);
  }

  #refuse(client: Socket, front: OpenFront): void {
    for (const account of [this.account, front.account]) account.refused += 1;
    client.resetAndDestroy();
  }

  #wait(client: Socket, front: OpenFront): void {
    const waiting = { client, front };
    this.#waiting.add(waiting);
    client.once("close", () => this.#waiting.delete(waiting));
  }

  #hasRoom(front: OpenFront): boolean {
    const { limit } = this.#settings;
    if (limit === undefined) return true;
    return (limit.per === "line" ? this.connections : this.#connectionsOf(front)) < limit.connections;
  }

  #connectionsOf(front: OpenFront): number {
    return [...this.#connections.values()].filter((of) => of === front).length;
  }

  #admitWaiting(): void {
    for (const waiting of this.#waiting) {
      if (this.#outage !== undefined || !this.#hasRoom(waiting.front)) continue;
      this.#waiting.delete(waiting);
      this.#connect(waiting.client, waiting.front);
    }
  }

  #connect(client: Socket, front: OpenFront): void {
    const accounts = [this.account, front.account];
    const connection = new LineConnection({
      client,
      target: front.target,
      settings: () => this.#settings,
      fate: this.#draw(),
      down: this.#down,
      up: this.#settings.bothWays ? this.#down : this.#up,
      carried: (bytes) => {
        for (const account of accounts) {
          account.carried += bytes;
          account.lastByteAt = performance.now();
        }
      },
      closed: () => {
        this.#connections.delete(connection);
        this.#admitWaiting();
      },
    });
    this.#connections.set(connection, front);
    for (const account of accounts) account.opened += 1;
    this.account.most = Math.max(this.account.most, this.connections);
    front.account.most = Math.max(front.account.most, this.#connectionsOf(front));
  }

  /** The nearer of the two ends that the settings have for a new connection. */
  #draw(): Fate | undefined {
    const { cut, stall } = this.#settings;
    const cutAt = cut && this.#drawEnd("cut", cut);
    const stallAt = stall && this.#drawEnd("stall", stall);
    if (cutAt !== undefined && (stallAt === undefined || cutAt <= stallAt)) {
      return { after: cutAt, kind: cut?.by ?? "reset" };
    }
    return stallAt === undefined ? undefined : { after: stallAt, kind: "stall" };
  }

  #drawEnd(kind: "cut" | "stall", { after, every = 1 }: EndSetting): number | undefined {
    this.#counts[kind] += 1;
    if (this.#counts[kind] % every !== 0) return undefined;
    if (typeof after === "number") return after;
    const [least, most] = after;
    return least + Math.floor(this.#random() * (most - least + 1));
  }
}

function emptyAccount(): LineAccount {
  return { carried: 0, opened: 0, refused: 0, most: 0, lastByteAt: undefined };
}

async function listenOn(server: Server, { host, port }: Place): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, 1024, () => {
          server.off("error", reject);
          resolve();
        });
      });
      break;
    } catch (cause) {
      if (tries === PORT_TRIES || (cause as NodeJS.ErrnoException).code !== "EADDRINUSE") throw cause;
      await sleep(50);
    }
  }
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port was given");
  return address.port;
}
