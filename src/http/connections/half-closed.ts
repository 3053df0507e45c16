/**
 * Owns what holds for a client that has closed its own direction (`nc -N`, shutdown(SHUT_WR)): it is answered all the same, as
 * distribution answers it. One that closed altogether looks the same until bytes go to it, so silence has an end here.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Longer than the outages of an upstream that a transfer outlives (a minute). Whoever is still there gets a byte within
 * seconds while the upstream delivers, and whoever is not fails our write then.
 */
export const SILENCE_MS = 90_000;

/** `server` was made with `allowHalfOpen`: plain http has it anyway, https does not. `event` is how it tells of a connection. */
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
export function endWhenSilent(socket: Socket, ms: number): void {
  socket.setTimeout(ms, () => socket.destroy());
}
