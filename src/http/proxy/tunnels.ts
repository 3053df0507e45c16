/**
 * Owns blind tunnels: bytes go both ways as they come, each direction ends by itself, and nobody looks inside. It must never keep a tunnel on which
 * nothing moves for long, nor one side whose other side is gone.
 */
import type { Duplex } from "node:stream";
import type { Clock, Timer } from "../../observe/clock.ts";

/** Long polls and push channels are silent for minutes. */
const IDLE_MS = 30 * 60_000;
/** While Granary stops: a tunnel on which nothing moves for so long has nothing under way. */
const IDLE_AT_STOP_MS = 2_000;

export class Tunnels {
  readonly #clock: Clock;
  readonly #open = new Set<Tunnel>();
  #idleMs = IDLE_MS;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get count(): number {
    return this.#open.size;
  }

  /** Both are open connections with nothing read from them but `head`, which came from the client. Resolves when both are closed. */
  async join(client: Duplex, server: Duplex, head: Buffer): Promise<void> {
    const tunnel = new Tunnel(client, server, this.#clock, this.#idleMs);
    this.#open.add(tunnel);
    if (head.length > 0) client.unshift(head);
    await tunnel.run();
    this.#open.delete(tunnel);
  }

  /** From now on tunnels end as soon as nothing moves on them. */
  endIdle(): void {
    this.#idleMs = IDLE_AT_STOP_MS;
    for (const tunnel of this.#open) tunnel.limit(IDLE_AT_STOP_MS);
  }
}

class Tunnel {
  readonly #sides: readonly [Duplex, Duplex];
  readonly #clock: Clock;
  #idleMs: number;
  #movedAt: number;
  #timer: Timer | undefined;

  constructor(client: Duplex, server: Duplex, clock: Clock, idleMs: number) {
    this.#sides = [client, server];
    this.#clock = clock;
    this.#idleMs = idleMs;
    this.#movedAt = clock.elapsed();
  }

  async run(): Promise<void> {
    const [client, server] = this.#sides;
    const closed = this.#sides.map((side) => new Promise<void>((resolve) => side.once("close", resolve)));
    this.#carry(client, server);
    this.#carry(server, client);
    this.limit(this.#idleMs);
    await Promise.all(closed);
    this.#timer?.cancel();
  }

  limit(idleMs: number): void {
    this.#idleMs = idleMs;
    this.#timer?.cancel();
    this.#timer = this.#clock.after(idleMs, () => this.#look());
  }

  #carry(from: Duplex, to: Duplex): void {
    from.on("data", () => {
      this.#movedAt = this.#clock.elapsed();
    });
    // A client or a server that is gone in the middle is nothing to tell: the other side sees the same end.
    from.on("error", () => from.destroy());
    from.once("close", () => leave(from, to));
    from.pipe(to);
  }

  #look(): void {
    const leftMs = this.#movedAt + this.#idleMs - this.#clock.elapsed();
    if (leftMs > 0) this.#timer = this.#clock.after(leftMs, () => this.#look());
    else for (const side of this.#sides) side.destroy();
  }
}

/** `from` is closed: what it has sent still leaves, and then nobody is there for `to`. */
function leave(from: Duplex, to: Duplex): void {
  if (!from.readableEnded || to.writableFinished) to.destroy();
  else to.once("finish", () => to.destroy());
}
