/**
 * Owns the knowledge that a connection was ended by the other side before a byte of any answer came on it. Hosts and proxies that give only so
 * many connections do that to the next one, where they do not refuse it. It judges nothing: the same can have other causes.
 */
import type { buildConnector } from "undici";

const turnedAway = new WeakSet<object>();

/** What the system says of a connection that the other side has broken. */
const BROKEN = new Set(["ECONNRESET", "EPIPE"]);

/** `connector`, which remembers the errors of such connections. With TLS it may happen before the handshake is over. */
export function watchedConnector(connector: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connector(options, (error, socket) => {
      if (error !== null) {
        if (isBroken(error)) turnedAway.add(error);
        return callback(error, null);
      }
      const before = socket.bytesRead;
      // Before undici's own listener, which hands the same error to the request.
      socket.on("error", (failure) => {
        if (isBroken(failure) && socket.bytesRead === before) turnedAway.add(failure);
      });
      callback(null, socket);
    });
}

/** Whether `error`, of a request that has failed, is of such a connection. */
export function wasTurnedAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return turnedAway.has(error) || wasClosedUnused(error);
}

/** undici's own error where the other side has closed in order; it says how much had come. */
function wasClosedUnused(error: Error): boolean {
  if (!("code" in error) || error.code !== "UND_ERR_SOCKET" || !("socket" in error)) return false;
  const { socket } = error;
  return typeof socket === "object" && socket !== null && "bytesRead" in socket && socket.bytesRead === 0;
}

function isBroken(error: Error): boolean {
  return "code" in error && typeof error.code === "string" && BROKEN.has(error.code);
}
