/**
 * Owns what the proxy is made of besides the Mirror: its authority, opened for the upstreams of the settings, and its way to other hosts. The log
 * says what people have to do about a new certificate. It is only for who has the lock of the storage directory.
 */
import { type Authority, type OpenedAuthority, openAuthority } from "./authority/authority.ts";
import { upstreamHosts } from "./authority/upstream-hosts.ts";
import type { Settings } from "./config/settings.ts";
import type { Environment } from "./environment.ts";
import type { ProxyMeans } from "./http/proxy/proxy-of-settings.ts";
import type { Relaying } from "./mirror/relaying.ts";
import type { Log } from "./observe/log.ts";
import type { Observers } from "./observe/observers.ts";
import { resolverAt } from "./upstream/network/named-resolver.ts";
import { connectRaw } from "./upstream/network/raw-connection.ts";

type OpenedProxyParts = Pick<Observers, "log" | "clock"> & {
  readonly relaying: Relaying;
  /** What its requests to registries say. */
  readonly via?: string;
  /** Where proxies are named. */
  readonly env: Environment;
};

/** How long a host that a client wants a tunnel to may take. Clients wait some ten seconds for a connection. */
const CONNECT_MS = 10_000;

export class OpenedProxy {
  readonly means: ProxyMeans;
  #authority: Authority | undefined;

  /** Nothing is opened before there is a proxy. */
  constructor(
    { storage, resolver }: Pick<Settings, "storage" | "resolver">,
    { relaying, via, env, log, clock }: OpenedProxyParts,
  ) {
    const lookup = resolver && resolverAt(resolver, clock);
    this.means = {
      relaying,
      ...(via !== undefined && { via }),
      connect: (place, signal) => connectRaw(place, { env, timeoutMs: CONNECT_MS, signal, clock, lookup }),
      certificates: async (upstreams) => {
        const hosts = upstreamHosts(upstreams);
        const known = this.#authority;
        if (known !== undefined && isSame(known.hosts, hosts)) return known;
        const opened = await openAuthority(storage.directory, hosts, clock);
        tell(opened, log);
        this.#authority = opened.authority;
        return opened.authority;
      },
    };
  }

  /** undefined until there is a proxy. */
  get authority(): Pick<Authority, "certificate"> | undefined {
    return this.#authority;
  }
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((host, index) => host === other[index]);
}

function tell({ authority, made, wasOpen }: OpenedAuthority, log: Log): void {
  if (made !== "opened") log.warn({ hosts: authority.hosts }, NEWS[made]);
  if (wasOpen)
    log.warn(
      "others on this machine could read the key of the proxy's authority, which is closed now: replace it with granary ca rotate, unless all of them may be trusted",
    );
}

const NEWS = {
  first:
    "the proxy has a certificate authority of its own now: clients must trust its certificate (granary ca show, granary ca install, or /ca.crt of the admin face)",
  renewed:
    "the certificate of the proxy's authority is another one now, by the same key: clients must trust it for hosts that the one before did not permit",
} as const;
