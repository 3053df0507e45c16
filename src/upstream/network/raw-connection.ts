/**
 * Owns a plain connection to a host that a client named: through the proxy of the environment where there is one, else direct, to an address
 * that the guard allows. Whoever asks for it says which names may be asked for; it must never judge names, and sends nothing but a CONNECT.
 */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect, isIP, type LookupFunction, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import type { Environment } from "../../environment.ts";
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { type HostPort, hostPortOf, hostPortText } from "../../oci/host-port.ts";
import { abortedError, onAbort } from "../../waiting/abort.ts";
import { guardLookup, refuseLiteral } from "./address-guard.ts";
import { type HttpProxy, readProxies } from "./proxies.ts";
import { transportError } from "./transport-error.ts";
import { secureContextOf, type TlsMaterial } from "./trust.ts";

export type RawPlace = HostPort & {
  /** Private, loopback and link-local addresses are allowed. */
  readonly isInternal: boolean;
};

export type RawConnectionOptions = {
  readonly env: Environment;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly clock: Clock;
  /** Replaces the system's name resolution. */
  readonly lookup?: LookupFunction | undefined;
};

/** Throws `denied` for an address that may not be connected to, `upstream-unavailable`, `aborted`. The caller ends what it gets. */
export async function connectRaw(place: RawPlace, options: RawConnectionOptions): Promise<Socket> {
  const { env, timeoutMs, signal, lookup, clock } = options;
  const url = urlOf(place);
  refuseLiteral(url, place.isInternal);
  const proxy = readProxies(env).proxyOf(url);
  // Ends when it is made: from then on nothing here may end the connection.
  const making = new AbortController();
  const timer = clock.after(timeoutMs, () => making.abort(lateError(place, timeoutMs)));
  const stop = onAbort(signal, () => making.abort(abortedError(signal, `connecting to ${url.host}`)));
  try {
    return await (proxy === undefined
      ? direct(place, lookup, making.signal)
      : through(proxy, place, making.signal));
  } catch (error) {
    throw transportError(
      making.signal.aborted ? making.signal.reason : error,
      "CONNECT",
      url,
      signal,
      proxy?.shown,
    );
  } finally {
    timer.cancel();
    stop();
  }
}

/** The same to the host of an URL, with TLS where that is https. `tls` is what is trusted beside the usual. */
export async function connectTo(
  origin: URL,
  isInternal: boolean,
  tls: TlsMaterial | undefined,
  options: RawConnectionOptions,
): Promise<Duplex> {
  const isSecure = origin.protocol === "https:";
  const place = hostPortOf(origin);
  const { host } = place;
  const socket = await connectRaw({ ...place, isInternal }, options);
  if (!isSecure) return socket;
  // The name is checked against the certificate by the handshake, before a byte leaves.
  const servername = isIP(host) === 0 ? { servername: host } : { host };
  return connectTls({
    socket,
    secureContext: secureContextOf(tls),
    ALPNProtocols: ["http/1.1"],
    ...servername,
  });
}

/** For messages, and to know which proxy it takes. */
function urlOf(place: RawPlace): URL {
  return new URL(`https://${hostPortText(place)}/`);
}

function direct(
  { host, port, isInternal }: RawPlace,
  lookup: LookupFunction | undefined,
  making: AbortSignal,
): Promise<Socket> {
  const socket = connect({
    host,
    port,
    lookup: guardLookup(isInternal, lookup),
    noDelay: true,
    allowHalfOpen: true,
  });
  return made(socket, making, (resolve) => socket.once("connect", () => resolve(socket)));
}

/** The proxy resolves the name, so only addresses that are written out are checked (dispatcher.ts). */
function through({ url, shown }: HttpProxy, place: RawPlace, making: AbortSignal): Promise<Socket> {
  const authority = hostPortText(place);
  const asked = (url.protocol === "https:" ? httpsRequest : httpRequest)({
    method: "CONNECT",
    path: authority,
    agent: false,
    ...hostPortOf(url),
    headers: { host: authority, ...loginHeader(url) },
  });
  return made(asked, making, (resolve, reject) => {
    asked.once("response", (answer) => reject(refusedBy(shown, authority, answer)));
    asked.once("connect", (answer, socket: Socket, head) => {
      if (answer.statusCode !== 200) {
        // Node has handed it over: destroying the request does not end it any more.
        socket.destroy();
        return reject(refusedBy(shown, authority, answer));
      }
      if (head.length > 0) socket.unshift(head);
      resolve(socket);
    });
    asked.end();
  });
}

/** What `make` resolves with. `making` ends it before that; what failed is destroyed, and nobody hears of its errors any more. */
async function made(
  trying: Socket | ClientRequest,
  making: AbortSignal,
  make: (resolve: (socket: Socket) => void, reject: (error: unknown) => void) => void,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const stop = onAbort(making, () => reject(making.reason));
  trying.once("error", reject);
  make(resolve, reject);
  try {
    return await promise;
  } catch (error) {
    trying.on("error", () => undefined).destroy();
    throw error;
  } finally {
    trying.off("error", reject);
    stop();
  }
}

function loginHeader({ username, password }: URL): { "proxy-authorization"?: string } {
  if (username === "" && password === "") return {};
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { "proxy-authorization": `Basic ${Buffer.from(login).toString("base64")}` };
}

function refusedBy(proxy: string, authority: string, { statusCode }: IncomingMessage): GranaryError {
  const message = `The proxy ${proxy} refuses a connection to ${authority} (${statusCode}).`;
  return new GranaryError("upstream-unavailable", message, { target: authority });
}

function lateError(place: RawPlace, timeoutMs: number): GranaryError {
  const target = hostPortText(place);
  const message = `${target} took no connection in ${timeoutMs / 1000} s.`;
  return new GranaryError("upstream-unavailable", message, { target });
}
