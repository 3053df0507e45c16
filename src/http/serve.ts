/**
 * Owns the HTTP face as a whole: one listener per entry of the settings over one Mirror. Either all of them listen or none, at the start and
 * at each change of the settings; the Mirror is the caller's to close.
 */
import type { Mirror } from "../mirror/mirror.ts";
import { Episodes } from "../observe/episodes.ts";
import type { Observers } from "../observe/observers.ts";
import { openRecords, type Records } from "../records/records.ts";
import type { ReloadPart } from "../reloading/reload-part.ts";
import { createRouter } from "../routing/routing.ts";
import type { Upstream } from "../upstream/policy.ts";
import { BufferPool } from "./answers/buffer-pool.ts";
import { Sending } from "./answers/sending.ts";
import { Admission, type ConnectionLimits } from "./connections/admission.ts";
import type { Interfaces } from "./connections/exposure.ts";
import { SentAhead } from "./connections/sent-ahead.ts";
import { type KeptListener, type ListenerEntry, ServedListener } from "./connections/served-listener.ts";
import { type ChangedListeners, ServedListeners } from "./connections/served-listeners.ts";
import { HostCertificates } from "./proxy/host-certificates.ts";
import { NamedListener } from "./proxy/named-listener.ts";
import { type ProxyChange, type ProxyMeans, ProxyOfSettings } from "./proxy/proxy-of-settings.ts";
import type { ProxyEntry, ProxyTerms, ServedProxy } from "./proxy/served-proxy.ts";
import { RequestLog } from "./request-log.ts";

/** What the face needs of the settings. */
export type ServeSettings = {
  readonly listeners: readonly ListenerEntry[];
  readonly upstreams: readonly Upstream[];
  /** How long bodies in flight may go on after `close`. */
  readonly drainMs: number;
  /** When left out: no limits, and five minutes until a client that reads nothing is closed. */
  readonly clients?: ConnectionLimits & { readonly stallMs: number; readonly sendfile?: boolean };
  /** The addresses of this machine; those of the system when left out. */
  readonly interfaces?: Interfaces;
  /** There is no proxy listener when left out. */
  readonly proxy?: ProxyEntry;
};

export type Serving = {
  /** In the order of the settings. */
  readonly listeners: readonly Pick<KeptListener, "port" | "upstream" | "url" | "urls" | "entry">[];
  /** Where the proxy listens, if there is one. */
  readonly proxy: Pick<ServedProxy, "port" | "url"> | undefined;
  /** Says in the log where it listens, for the first time: called when everything that is started with it answers too. */
  announce(): void;
  /** How it takes other settings. Its preparing can close a listener for a moment, so it comes after all other parts. */
  readonly reloadPart: ReloadPart<ServeSettings>;
  /** Stops accepting, lets bodies in flight end within drainMs, then cuts them. Idempotent. */
  close(): Promise<void>;
};

/**
 * Listens, and does not say so before `announce`. Throws `config-invalid` when a port cannot be had; nothing listens then. Without `records`
 * nothing of the requests is kept, and without `means` there is no proxy.
 */
export async function serve(
  settings: ServeSettings,
  mirror: Mirror,
  observers: Observers,
  records: Records = openRecords(observers),
  means?: ProxyMeans,
): Promise<Serving> {
  const { interfaces } = settings;
  const commons = commonsOf(settings.clients ?? NO_LIMITS, observers);
  const sending = await Sending.open(observers.log);
  const shared = {
    ...observers,
    mirror,
    records,
    pool: new BufferPool(),
    sending,
    requests: new RequestLog(observers),
    ownRequests: { via: means?.via, episodes: commons.episodes },
  };
  let terms = termsOf(settings);
  const certificates = new HostCertificates(means?.certificates);
  const around = { shared, commons, interfaces, certificates };
  const open = (entry: ListenerEntry): Promise<ServedListener | NamedListener> =>
    entry.tlsFromCa === true && means !== undefined
      ? NamedListener.open(entry, terms, { ...around, relaying: means.relaying })
      : ServedListener.open(entry, terms, around);
  const listeners = new ServedListeners(open, (sentence) => observers.log.error(sentence));
  const proxy = new ProxyOfSettings(means, around);
  /** Returns the way back. */
  const useNames = async (next: ServeSettings) =>
    needsCertificates(next) ? await certificates.use(next.upstreams) : () => undefined;
  await useNames(settings);
  const started = await listeners.prepare(settings.listeners);
  const proxied = await proxy.prepare(settings.proxy, terms).catch(async (error: unknown) => {
    await listeners.undo(started);
    throw error;
  });
  listeners.use(started);
  proxied.apply();
  sending.choose(sendingOf(settings));

  /** The listeners that stay may fail to take a new certificate; each of the others takes what is new all the same. */
  const apply = (change: ChangedListeners<ServedListener | NamedListener>, next: ServeSettings) => {
    terms = termsOf(next);
    commons.admission.renew(next.clients ?? NO_LIMITS);
    sending.choose(sendingOf(next));
    listeners.use(change);
    announce(change, observers);
    const failures = change.listeners.flatMap((listener, index) => {
      const entry = next.listeners[index] ?? listener.entry;
      return listener.renew(entry, terms) ?? [];
    });
    for (const failure of failures) throw failure;
  };

  return {
    get listeners() {
      return listeners.current;
    },
    get proxy() {
      return proxy.current;
    },
    announce: () => {
      announce(started, observers);
      tellProxy(proxied, observers);
    },
    reloadPart: {
      takes: ["listeners", "clients", "drain", "upstreams", "proxy"],
      prepare: async (next, isTrial) => {
        if (isTrial) {
          const notes = [...(await listeners.try(next.listeners)), ...(await proxy.try(next.proxy))];
          return { notes, apply: () => undefined };
        }
        const useOldNames = await useNames(next);
        const proxying = await proxy.prepare(next.proxy, termsOf(next)).catch((error: unknown) => {
          useOldNames();
          throw error;
        });
        const change = await listeners.prepare(next.listeners).catch(async (error: unknown) => {
          useOldNames();
          await proxying.abandon();
          throw error;
        });
        return {
          apply: () => {
            proxying.apply();
            tellProxy(proxying, observers);
            apply(change, next);
          },
          abandon: async () => {
            useOldNames();
            await proxying.abandon();
            await listeners.undo(change);
          },
        };
      },
    },
    close: async () => {
      await Promise.all([listeners.close(), proxy.close()]);
    },
  };
}

const NO_LIMITS: ConnectionLimits = {
  maxConnections: Number.POSITIVE_INFINITY,
  maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
};

function termsOf({ upstreams, drainMs, clients }: ServeSettings): ProxyTerms {
  return {
    named: upstreams,
    router: createRouter(upstreams),
    upstreams: new Map(upstreams.map((upstream) => [upstream.name, upstream])),
    drainMs,
    ...(clients !== undefined && { stallMs: clients.stallMs }),
  };
}

function needsCertificates({ proxy, listeners }: ServeSettings): boolean {
  return proxy !== undefined || listeners.some(({ tlsFromCa }) => tlsFromCa === true);
}

function tellProxy({ opened }: ProxyChange, { log }: Observers): void {
  if (opened === undefined) return;
  const { port, url, entry } = opened;
  log.info({ port, tunnel: entry.tunnel }, `the proxy listens on ${url}`);
}

function sendingOf({ clients, listeners }: ServeSettings) {
  const isEncrypted = listeners.some(({ tls, tlsFromCa }) => tls !== undefined || tlsFromCa === true);
  return { isOff: clients?.sendfile === false, isEncrypted };
}

function announce({ opened, closed }: ChangedListeners<KeptListener>, { log }: Observers): void {
  const whom = ({ upstream, entry }: KeptListener) =>
    entry.tlsFromCa === true ? "the names of upstreams" : upstream;
  for (const each of closed)
    log.info(
      { port: each.port, upstream: each.upstream },
      `no longer listening on ${each.url} for ${whom(each)}`,
    );
  for (const each of opened)
    log.info(
      { port: each.port, upstream: each.upstream, urls: each.urls },
      `listening on ${each.url} for ${whom(each)}`,
    );
}

function commonsOf(limits: ConnectionLimits, { log, clock }: Observers) {
  const episodes = new Episodes(log, clock);
  const admission: Admission = new Admission(limits, clock, (excess, client) => {
    const facts = { client, limit: admission.limits[excess] };
    episodes.trouble(excess, facts, `more connections than clients.${excess} allows: refusing some`);
  });
  return { admission, sentAhead: new SentAhead(), episodes, clock };
}
