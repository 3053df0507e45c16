/**
 * Owns the end of connections on which a client takes nothing: it is progress that counts, never duration. A client that reads a
 * byte now and then lives, and so does one that waits for an upstream; who takes nothing for long gives back its Pin and its buffers.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Turns } from "./turns.ts";

/** A disk that is busy stops a client for seconds, an operator who looks at it for a minute or two. */
export const STALL_MS = 5 * 60_000;

export type StallOptions = {
  readonly stallMs: number;
  readonly turns: Turns;
  /** Called with each connection that is closed because what it asked for was not taken. */
  readonly onStalled: (socket: Socket) => void;
};

/** To be called before `server` listens. */
export function endStalled(server: Server, { stallMs, turns, onStalled }: StallOptions): void {
  // Node looks whether bytes left, also of a write that is under way, and starts anew when any did.
  server.timeout = stallMs;
  server.on("timeout", (socket: Socket) => {
    const isStalled = socket.writableLength > 0;
    // It waits for us: what it asked for is on its way.
    if (!isStalled && turns.isAnswering(socket) && !turns.isAhead(socket)) return;
    if (isStalled) onStalled(socket);
    socket.destroy();
  });
}
