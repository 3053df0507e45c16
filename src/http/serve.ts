/**
 * Owns the HTTP face as a whole: one listener per entry of the settings over one Mirror. Either all of them listen or none;
 * the Mirror is the caller's to close.
 */
import type { Mirror } from "../mirror/mirror.ts";
import { Episodes } from "../observe/episodes.ts";
import type { Observers } from "../observe/observers.ts";
import type { Login } from "../oci/credentials.ts";
import { openRecords, type Records } from "../records/records.ts";
import { createRouter } from "../routing/routing.ts";
import type { Upstream } from "../upstream/policy.ts";
import { BufferPool } from "./answers/buffer-pool.ts";
import { Admission, type ConnectionLimits } from "./connections/admission.ts";
import { clientUrls, exposureOf, type Interfaces, warnOfExposure } from "./connections/exposure.ts";
import {
  type Listener,
  type ListenerCommons,
  type ListenerOptions,
  openListener,
} from "./connections/listener.ts";
import { SentAhead } from "./connections/sent-ahead.ts";
import { LoginCheck } from "./registry/login.ts";
import type { FaceParts } from "./request-listener.ts";
import { RequestLog } from "./request-log.ts";

/** What the face needs of the settings. */
export type ServeSettings = {
  readonly listeners: readonly (Omit<ListenerOptions, "drainMs" | "stallMs"> & {
    readonly upstream: string;
    readonly login: Login | undefined;
  })[];
  readonly upstreams: readonly Upstream[];
  /** How long bodies in flight may go on after `close`. */
  readonly drainMs: number;
  /** When left out: no limits, and five minutes until a client that reads nothing is closed. */
  readonly clients?: ConnectionLimits & { readonly stallMs: number };
  /** The addresses of this machine; those of the system when left out. */
  readonly interfaces?: Interfaces;
};

export type ServingListener = {
  readonly port: number;
  readonly upstream: string;
  /** What clients type to reach it; from other machines, if it can be reached from there. */
  readonly url: string;
  /** New connections get this certificate. Throws when it cannot be used, and keeps the old one. */
  renewTls(tls: NonNullable<ListenerOptions["tls"]>): void;
  /** Later requests need this login. Does nothing where the listener asks for none. */
  renewLogin(login: Login): void;
};

export type Serving = {
  readonly listeners: readonly ServingListener[];
  /** Stops accepting, lets bodies in flight end within drainMs, then cuts them. Idempotent. */
  close(): Promise<void>;
};

/** Throws `config-invalid` when a port cannot be had; nothing listens then. Without `records` nothing of the requests is kept. */
export async function serve(
  settings: ServeSettings,
  mirror: Mirror,
  observers: Observers,
  records: Records = openRecords(observers),
): Promise<Serving> {
  const { drainMs, upstreams, clients } = settings;
  const stalling = clients === undefined ? {} : { stallMs: clients.stallMs };
  const commons = commonsOf(clients ?? NO_LIMITS, observers);
  const common = {
    ...observers,
    mirror,
    records,
    pool: new BufferPool(),
    requests: new RequestLog(observers),
    router: createRouter(upstreams),
    upstreams: new Map(upstreams.map((upstream) => [upstream.name, upstream])),
  };
  const opened: (Listener & ServingListener & { readonly urls: readonly string[] })[] = [];
  const close = async () => {
    await Promise.all(opened.map((listener) => listener.close()));
  };
  try {
    for (const { login, upstream, ...address } of settings.listeners) {
      const check = login && new LoginCheck(login);
      const parts: FaceParts = { ...common, listenerUpstream: upstream, login: check };
      const listener = await openListener({ ...address, drainMs, ...stalling }, parts, commons);
      const { port, address: place } = listener;
      const urls = clientUrls({ address: place, port, cert: address.tls?.cert }, settings.interfaces);
      const renewLogin = (next: Login) => check?.renew(next);
      opened.push({ ...listener, upstream, url: urls[0], urls, renewLogin });
      if (login !== undefined) warnOfLogin(observers, port);
      else warnOfExposure(observers.log, port, exposureOf(place, settings.interfaces));
    }
  } catch (error) {
    await close();
    throw error;
  }
  for (const { port, upstream, url, urls } of opened)
    observers.log.info({ port, upstream, urls }, `listening on ${url} for ${upstream}`);
  return { listeners: opened, close };
}

const NO_LIMITS: ConnectionLimits = {
  maxConnections: Number.POSITIVE_INFINITY,
  maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
};

function commonsOf(limits: ConnectionLimits, { log, clock }: Observers): ListenerCommons {
  const episodes = new Episodes(log, clock);
  const admission = new Admission(limits, clock, (excess, client) => {
    const facts = { client, limit: limits[excess] };
    episodes.trouble(excess, facts, `more connections than clients.${excess} allows: refusing some`);
  });
  return { admission, sentAhead: new SentAhead(), episodes };
}

/**
 * moby/moby#30880, moby/moby#33071: a challenge from a mirror makes Docker up to 28 send its login for Docker Hub
 * (docs/protocol.md#docker-logins).
 */
function warnOfLogin({ log }: Observers, port: number): void {
  log.warn(
    { port },
    "this listener asks for a login: Docker up to 28 will offer it the user's Docker Hub login",
  );
}
