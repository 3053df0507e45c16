/**
 * Owns how long nothing may move on a connection before it is closed. Progress counts, never duration: a client that reads a byte now and
 * then stays, and so does one that waits for an upstream. Whoever takes nothing for long gives back its Pin and its buffers.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Turns } from "./turns.ts";

/** For a client that takes nothing of its answer. A busy disk stops a client for seconds, an operator for a minute or two. */
export const STALL_MS = 5 * 60_000;

/**
 * For a client that has closed its own direction. Longer than an outage of an upstream that a transfer survives (a minute). A client that
 * is still there gets a byte within seconds while the upstream delivers; to one that is gone our next write fails.
 */
export const SILENCE_MS = 90_000;

type StallOptions = {
  readonly stallMs: number;
  readonly turns: Turns;
  /** Called with each connection that is closed because its client took nothing. */
  readonly onStalled: (socket: Socket) => void;
};

/** To be called before `server` listens. */
export function endStalled(server: Server, { stallMs, turns, onStalled }: StallOptions): void {
  // Node looks whether bytes left, also of a write that is under way, and starts anew when any did.
  server.timeout = stallMs;
  server.on("timeout", (socket: Socket) => {
    const isStalled = socket.writableLength > 0;
    // It has begun a body and does not go on. While we do not read, the silence is ours.
    const isMute = turns.isMidBody(socket) && !socket.isPaused();
    // The client waits for us: its answer is on its way.
    if (!isStalled && !isMute && turns.isAnswering(socket) && !turns.isAhead(socket)) return;
    if (isStalled) onStalled(socket);
    socket.destroy();
  });
}

/**
 * Lets a client that has closed its own direction (`nc -N`, shutdown(SHUT_WR)) have its answer, as distribution does. A client that closed
 * altogether looks the same until bytes are sent to it, so its silence has an end. `server` was made with `allowHalfOpen`: plain http has
 * it anyway, https does not. `event` is how it tells of a connection.
 */
export function answerHalfClosed(
  server: Server,
  event: "connection" | "secureConnection",
  silenceMs: number,
): void {
  // Not in Node's documentation or types: without it the end of a client's stream ends the answers under way.
  Object.assign(server, { httpAllowHalfOpen: true });
  server.on(event, (socket: Socket) => {
    // Told after Node's own listener, which sets timeouts of its own.
    socket.once("end", () => endWhenSilent(socket, silenceMs));
  });
}

/** Destroys a connection on which nothing moves for `ms`; bytes that leave a full buffer count as moving. */
function endWhenSilent(socket: Socket, ms: number): void {
  socket.setTimeout(ms, () => socket.destroy());
}
