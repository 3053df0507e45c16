/**
 * Owns one listening port: the Node server with the limits that container clients need, and its orderly end. What a request meets there
 * is its caller's: request-listener.ts for registries, the guards of the admin face for that. It is long because the limits of a connection and
 * the stages of its end are set on one server, and read together.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { SecureContext, TlsOptions } from "node:tls";
import { GranaryError, messageOf } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Episodes } from "../../observe/episodes.ts";
import { KEEP_ALIVE_MS } from "../answers/answer-text.ts";
import { plainAddress } from "../request-log.ts";
import type { Admission } from "./admission.ts";
import { closeInStages, linger } from "./close-in-stages.ts";
import { tunnelRefusal, unreadableRequest } from "./raw-refusal.ts";
import type { SentAhead } from "./sent-ahead.ts";
import { answerHalfClosed, endStalled, SILENCE_MS, STALL_MS } from "./silence.ts";
import { type AtOnce, type RequestListener, Turns } from "./turns.ts";

/** PEM texts. */
export type ServerCertificate = { readonly cert: string; readonly key: string };

/** undefined, or a client that names nobody, ends the handshake with an alert. It throws nothing. */
export type CertificatesByName = {
  readonly contextOf: (name: string) => Promise<SecureContext | undefined>;
};

export type ListenerOptions = {
  readonly port: number;
  readonly host: string | undefined;
  readonly tls: ServerCertificate | CertificatesByName | undefined;
  readonly drainMs: number;
  /** How long nothing may be sent to a client that has closed its own direction; 90 seconds when left out. */
  readonly silenceMs?: number;
  /** How long a client may read nothing of its answer; five minutes when left out. */
  readonly stallMs?: number;
  /** Within which a request must have come whole; five minutes when left out, 0 for any time. */
  readonly requestMs?: number;
};

/** What all listeners of a process share. */
export type ListenerCommons = {
  readonly admission: Admission;
  readonly sentAhead: SentAhead;
  /** The log has one line for each episode of misbehaving clients. */
  readonly episodes: Episodes;
  readonly clock: Clock;
};

export type Listener = {
  readonly port: number;
  /** Where it listens; a wildcard where that is everywhere. */
  readonly address: string;
  /** Connections that are made from now on see this certificate; those that are open go on. Throws when it cannot be used. */
  renewTls(tls: ServerCertificate): void;
  /** Count from now on. */
  renewPatience(patience: Pick<ListenerOptions, "drainMs" | "stallMs">): void;
  /** Takes no more connections, lets bodies in flight go on for `drainMs`, then destroys them. Idempotent. */
  close(): Promise<void>;
};

const SERVER_OPTIONS = {
  // A request for 1024 ranges is 22.5 KB; Node's default answers it with 431 (docs/protocol.md#connections).
  maxHeaderSize: 128 * 1024,
  keepAliveTimeout: KEEP_ALIVE_MS,
  headersTimeout: 60_000,
  // Finds clients that vanished without closing; their Pins would be held for ever.
  keepAlive: true,
  keepAliveInitialDelay: 60_000,
  noDelay: true,
  // What Node answers by itself would come before the answers under way (turns.ts).
  requireHostHeader: false,
  // Node's http does this anyway, its https does not (silence.ts).
  allowHalfOpen: true,
};

/** Requests of registry clients have no body. */
const REQUEST_MS = 5 * 60_000;

/** Docker gives up a handshake after 10 s, so no real client takes longer than this. */
const HANDSHAKE_MS = 30_000;

/** What a listener does with what comes in. */
export type Handlers = {
  readonly answer: RequestListener;
  readonly atOnce?: AtOnce | undefined;
  /** Takes over a connection that asked for a tunnel; without it each is refused. */
  readonly onConnect?: TakeConnection | undefined;
  /** The same for a request that wants to speak something else than HTTP; without it Node answers as if nothing had been asked. */
  readonly onUpgrade?: TakeConnection | undefined;
  /** Which of these are handed over; the others are answered as if nothing had been asked (RFC 9110, 7.8). Node before 24.9 hands over all. */
  readonly mayUpgrade?: (incoming: IncomingMessage) => boolean;
};

/** `head` is what came behind the request. Nobody else reads or writes the connection from now on. */
type TakeConnection = (incoming: IncomingMessage, socket: Socket, head: Buffer) => void;

/** Throws `config-invalid` when the port cannot be had. */
export async function openListener(
  options: ListenerOptions,
  handlers: Handlers,
  commons: ListenerCommons,
): Promise<Listener> {
  const { tls, port, host } = options;
  let { drainMs } = options;
  const server: Server | TlsServer =
    tls === undefined ? createServer(SERVER_OPTIONS) : openTlsServer(tls, `port ${port}`);
  commons.admission.watch(server);
  const open = keepServer(server, tls === undefined ? "connection" : "secureConnection", {
    ...{ options, handlers, commons },
  });
  const connections = connectionsOf(server);
  const address = await listen(server, port, host);
  let closed: Promise<void> | undefined;
  return {
    port: address.port,
    address: address.address,
    renewTls: (next) => {
      if ("setSecureContext" in server) server.setSecureContext(next);
    },
    renewPatience: (next) => {
      drainMs = next.drainMs;
      server.timeout = next.stallMs ?? STALL_MS;
    },
    close: () => {
      closed ??= drain(server, { open, connections }, drainMs, commons);
      return closed;
    },
  };
}

type Kept = {
  readonly options: Pick<ListenerOptions, "silenceMs" | "stallMs" | "requestMs">;
  readonly handlers: Handlers;
  readonly commons: ListenerCommons;
};

/**
 * Gives a server its limits, its turns and its handlers. To be called before it takes connections; `event` is how it tells of one. Returns the
 * responses that are not over yet.
 */
export function keepServer(
  server: Server | TlsServer,
  event: "connection" | "secureConnection",
  { options, handlers, commons }: Kept,
): OpenResponses {
  const { silenceMs = SILENCE_MS, stallMs = STALL_MS } = options;
  server.requestTimeout = options.requestMs ?? REQUEST_MS;
  const open: OpenResponses = new Set();
  const { turns, onStalled } = takeTurns(
    commons.admission.guard(remembering(open, handlers.answer)),
    // With TLS, what came is not what was asked for on the wire.
    { silenceMs, atOnce: event === "connection" ? handlers.atOnce : undefined },
    commons,
  );
  // With TLS, the end of the inner stream counts: the client's close_notify.
  turns.keep(server, event);
  endStalled(server, { stallMs, turns, onStalled });
  closeInStages(server, event, turns, commons.clock);
  const refuseRaw = (socket: Socket, text: string) => endWith(socket, text, turns, commons.clock);
  if (handlers.onConnect !== undefined) handOver(server, "connect", turns, handlers.onConnect);
  else server.on("connect", (_, socket: Socket) => refuseRaw(socket, tunnelRefusal()));
  if (handlers.onUpgrade !== undefined) handOver(server, "upgrade", turns, handlers.onUpgrade);
  if (handlers.mayUpgrade !== undefined)
    Object.assign(server, { shouldUpgradeCallback: handlers.mayUpgrade });
  server.on("clientError", (error, socket) => refuseRaw(socket as Socket, unreadableRequest(error)));
  answerHalfClosed(server, event, silenceMs);
  return open;
}

function handOver(server: Server, event: "connect" | "upgrade", turns: Turns, take: TakeConnection): void {
  server.on(event, (incoming: IncomingMessage, socket: Socket, head: Buffer) => {
    // It would mix with the answer under way.
    if (turns.isAnswering(socket)) return void socket.destroy();
    turns.leave(socket);
    socket.setTimeout(0);
    // What came behind `head` in the same read is put back at the end of this tick.
    process.nextTick(take, incoming, socket, head);
  });
}

/** Throws `config-invalid` where another program has the port, and leaves it free. A certificate is not tried. */
export async function tryPlace(port: number, host: string | undefined): Promise<void> {
  const server = createServer();
  await listen(server, port, host);
  await new Promise((resolve) => server.close(resolve));
}

/** A server that nothing reaches by itself. `where` is for the message of `config-invalid`, which it throws for a certificate that cannot be used. */
export function openTlsServer(tls: ServerCertificate | CertificatesByName, where: string): TlsServer {
  const shown = "contextOf" in tls ? { SNICallback: choosing(tls) } : tls;
  try {
    return createTlsServer({ ...SERVER_OPTIONS, handshakeTimeout: HANDSHAKE_MS, ...shown });
  } catch (error) {
    const message = `The certificate and key for ${where} cannot be used: ${messageOf(error)}.`;
    throw new GranaryError("config-invalid", message, { cause: error });
  }
}

/** An error here would destroy the connection without a word, so there is none: without a certificate the client gets an alert. */
function choosing({ contextOf }: CertificatesByName): NonNullable<TlsOptions["SNICallback"]> {
  return (name, done) => void contextOf(name).then((context) => done(null, context));
}

function takeTurns(
  answer: RequestListener,
  options: { readonly silenceMs: number; readonly atOnce: AtOnce | undefined },
  { sentAhead, episodes }: ListenerCommons,
) {
  const tell = (trouble: string, { remoteAddress }: Socket, message: string) =>
    episodes.trouble(trouble, { client: plainAddress(remoteAddress) }, message);
  const onFlood = (socket: Socket) =>
    tell("requests ahead", socket, "clients send requests and do not read the answers: closing connections");
  const onStalled = (socket: Socket) =>
    tell("stalled clients", socket, "a client reads nothing of its answer: closing its connection");
  return { turns: new Turns({ answer, onFlood, ...options }, sentAhead), onStalled };
}

/** Every response that is not over yet. */
export type OpenResponses = Set<ServerResponse>;

function remembering(open: OpenResponses, answer: RequestListener): RequestListener {
  return (incoming, outgoing) => {
    open.add(outgoing);
    outgoing.on("close", () => open.delete(outgoing));
    answer(incoming, outgoing);
  };
}

/**
 * Ends a connection that speaks HTTP no more with `text`. One whose TLS handshake failed cannot take it, and to one whose answer is under way it
 * would look like bytes of that.
 */
function endWith(socket: Socket, text: string, turns: Turns, clock: Clock): void {
  const isReady = turns.has(socket) && !turns.isAnswering(socket) && socket.writable;
  turns.leave(socket);
  socket.on("error", () => socket.destroy());
  if (!isReady) return void socket.destroy();
  socket.write(text);
  linger(socket, clock);
}

/** All open connections, with those in a TLS handshake, which Node's own list leaves out. */
function connectionsOf(server: Server): ReadonlySet<Socket> {
  const connections = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  return connections;
}

async function listen(server: Server, port: number, host: string | undefined): Promise<AddressInfo> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(portError(error, port, host)));
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new GranaryError("config-invalid", `Port ${port} has no address to listen on.`);
  }
  return address;
}

function portError(error: Error, port: number, host: string | undefined): GranaryError {
  const code = "code" in error ? String(error.code) : "";
  const where = `port ${port}${host === undefined ? "" : ` of ${host}`}`;
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: "another program listens there; stop it or give the listener another port",
    EACCES: "this user is not allowed to; ports below 1024 usually need more rights",
    EADDRNOTAVAIL: "this machine has no such address",
  };
  const reason = reasons[code] ?? messageOf(error);
  return new GranaryError("config-invalid", `Cannot listen on ${where}: ${reason}.`, {
    target: where,
    cause: error,
  });
}

async function drain(
  server: Server,
  { open, connections }: { readonly open: OpenResponses; readonly connections: ReadonlySet<Socket> },
  drainMs: number,
  { clock }: ListenerCommons,
): Promise<void> {
  const ended = new Promise<void>((resolve) => server.close(() => resolve()));
  endAfterAnswers(server, open);
  const timer = clock.after(drainMs, () => {
    for (const socket of connections) socket.destroy();
  });
  await ended;
  timer.cancel();
}

/** Connections of `server` end with the answer that is under way, and those that are idle now. */
export function endAfterAnswers(server: Server, open: OpenResponses): void {
  for (const outgoing of open) {
    if (!outgoing.headersSent) outgoing.shouldKeepAlive = false;
    // After its answer a connection is idle, and would stay open until its timeout.
    outgoing.once("close", () => setImmediate(() => server.closeIdleConnections()));
  }
  server.closeIdleConnections();
}
