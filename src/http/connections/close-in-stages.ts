/**
 * Owns how a connection ends whose client may still be sending: the answer leaves, our direction ends, and what still comes is read and
 * thrown away until the client ends its direction (RFC 9112, 9.6; nginx calls it a lingering close). A connection closed with bytes unread
 * is reset, and a reset takes the answer from a client that has not read it yet.
 *
 * It must never wait longer than its limit for a client that goes on sending.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../observe/clock.ts";
import type { Turns } from "./turns.ts";

/** From the end of the answer. A client that has begun to read takes it within that time over any line. */
const LINGER_MS = 10_000;

/** Node closes a connection by `destroySoon` after its last answer. To be called before `server` listens, after `turns.keep`. */
export function closeInStages(
  server: Server,
  event: "connection" | "secureConnection",
  turns: Turns,
  clock: Clock,
): void {
  server.on(event, (socket: Socket) => {
    const destroySoon = socket.destroySoon.bind(socket);
    socket.destroySoon = () => {
      if (!turns.isSending(socket)) return destroySoon();
      turns.leave(socket);
      linger(socket, clock);
    };
  });
}

/** Ends our direction of `socket`, whose `data` nobody else reads any more, and closes it once the client has ended its own, or is late. */
export function linger(socket: Socket, clock: Clock): void {
  const timer = clock.after(LINGER_MS, () => socket.destroy());
  socket.once("close", () => timer.cancel());
  socket.once("end", () => socket.destroySoon());
  socket.end();
  socket.resume();
}
