/**
 * Owns what becomes of connections that are beyond the limits (admission.ts): their request is read and refused with the advice to
 * come back, unless it asks for a status page. Plain facts of connections; it decides no limit.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../../observe/clock.ts";
import { statusPageOf } from "../admin/status-pages.ts";
import { refuse } from "../answers/respond.ts";
import type { Admission, Excess } from "./admission.ts";
import type { Answer } from "./turns.ts";

/** How long a connection that is too many may take for its one request. */
const PATIENCE_MS = 5_000;
const RETRY_SECONDS = 5;

export class Crowd {
  readonly #admission: Admission;
  readonly #clock: Clock;
  readonly #beyond = new Map<string, Excess>();

  constructor(admission: Admission, clock: Clock) {
    this.#admission = admission;
    this.#clock = clock;
  }

  /** To be called before `server` listens. Counts plain connections, whatever is spoken over them. */
  watch(server: Server): void {
    server.prependListener("connection", (socket: Socket) => {
      const excess = this.#admission.admit(socket);
      if (excess === undefined || socket.destroyed) return;
      const peer = peerOf(socket);
      this.#beyond.set(peer, excess);
      const timer = this.#clock.after(PATIENCE_MS, () => socket.destroy());
      socket.once("close", () => {
        timer.cancel();
        this.#beyond.delete(peer);
      });
    });
  }

  /** `answer`, for connections that are within the limits. */
  guard(answer: Answer): Answer {
    return (incoming, outgoing) => {
      const excess = this.#beyond.size === 0 ? undefined : this.#beyond.get(peerOf(incoming.socket));
      if (excess !== undefined) outgoing.shouldKeepAlive = false;
      if (excess === undefined || isStatus(incoming)) answer(incoming, outgoing);
      else refuseExcess(outgoing, excess);
    };
  }
}

/** Of a TLS connection it is the same as of the plain one below it. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

function isStatus({ url = "" }: IncomingMessage): boolean {
  return statusPageOf(url.split("?")[0] ?? "") !== undefined;
}

function refuseExcess(outgoing: ServerResponse, excess: Excess): void {
  const who = excess === "maxConnections" ? "from all clients" : "from your address";
  const message = `there are too many connections ${who} (clients.${excess}); come back in ${RETRY_SECONDS} seconds`;
  refuse({ outgoing }, 503, ["UNAVAILABLE", message], ["Retry-After", String(RETRY_SECONDS)]);
}
