/**
 * Owns one listener of the settings: where it listens, what a request without a name means there, and its login. Settings can change all of
 * that while it runs, except the place itself. Connections that are open go on through every change.
 */
import { isDeepStrictEqual } from "node:util";
import type { Login } from "../../oci/credentials.ts";
import { AnswersAtOnce } from "../registry/answers-at-once.ts";
import { LoginCheck } from "../registry/login.ts";
import { createRequestListener, type FaceParts } from "../request-listener.ts";
import { clientUrls, exposureOf, type Interfaces, warnOfExposure } from "./exposure.ts";
import {
  type Listener,
  type ListenerCommons,
  type ListenerOptions,
  openListener,
  type ServerCertificate,
} from "./listener.ts";

/** What the settings say of one listener. */
export type ListenerEntry = Pick<ListenerOptions, "port" | "host"> & {
  readonly tls: ServerCertificate | undefined;
  /** Clients take it for registries by their names (proxy/named-listener.ts). */
  readonly tlsFromCa?: boolean;
  readonly upstream: string;
  readonly login: Login | undefined;
};

/** What holds for all listeners, and can change with the settings. */
export type ListenerTerms = Pick<FaceParts, "router" | "upstreams"> &
  Pick<ListenerOptions, "drainMs" | "stallMs">;

export type ListenerSurroundings = {
  readonly shared: Omit<FaceParts, "listenerUpstream" | "login" | "router" | "upstreams">;
  readonly commons: ListenerCommons;
  readonly interfaces: Interfaces | undefined;
};

/** A listener of the settings, of whatever kind. */
export interface KeptListener {
  readonly port: number;
  readonly entry: ListenerEntry;
  readonly upstream: string;
  readonly url: string;
  readonly urls: readonly [string, ...string[]];
  readonly isClosed: boolean;
  canBecome(entry: ListenerEntry): boolean;
  close(): Promise<void>;
}

export class ServedListener implements KeptListener {
  readonly port: number;
  readonly #around: ListenerSurroundings;
  readonly #listener: Listener;
  readonly #parts: FaceParts;
  #entry: ListenerEntry;
  #isClosed = false;

  private constructor(
    around: ListenerSurroundings,
    listener: Listener,
    parts: FaceParts,
    entry: ListenerEntry,
  ) {
    this.#around = around;
    this.#listener = listener;
    this.#parts = parts;
    this.#entry = entry;
    this.port = listener.port;
  }

  /** Throws `config-invalid` when the port cannot be had. */
  static async open(
    entry: ListenerEntry,
    { router, upstreams, ...patience }: ListenerTerms,
    around: ListenerSurroundings,
  ): Promise<ServedListener> {
    const { login, upstream, tlsFromCa: _, ...options } = entry;
    const check = login && new LoginCheck(login);
    const parts = { ...around.shared, router, upstreams, listenerUpstream: upstream, login: check };
    const listener = await openListener(
      { ...options, ...patience },
      { answer: createRequestListener(parts), atOnce: new AnswersAtOnce(parts) },
      around.commons,
    );
    const served = new ServedListener(around, listener, parts, entry);
    served.#warn();
    return served;
  }

  get entry(): ListenerEntry {
    return this.#entry;
  }

  get upstream(): string {
    return this.#entry.upstream;
  }

  /** What clients type to reach it, the likeliest first; from other machines, if it can be reached from there. */
  get urls(): readonly [string, ...string[]] {
    const { address, port } = this.#listener;
    return clientUrls({ address, port, cert: this.#entry.tls?.cert }, this.#around.interfaces);
  }

  get url(): string {
    return this.urls[0];
  }

  /** True when `entry` can be had without opening another one. */
  canBecome({ port, host, tls, tlsFromCa }: ListenerEntry): boolean {
    const own = this.#entry;
    if (tlsFromCa === true) return false;
    return own.port === port && own.host === host && (own.tls === undefined) === (tls === undefined);
  }

  /**
   * Later requests find these. `canBecome(entry)` is true. Returns the failure where the new certificate cannot be used: then the old one
   * stays in use, and everything else is new.
   */
  renew(entry: ListenerEntry, { router, upstreams, ...patience }: ListenerTerms): unknown {
    const before = this.#entry;
    const parts = this.#parts;
    Object.assign(parts, { router, upstreams, listenerUpstream: entry.upstream });
    this.#listener.renewPatience(patience);
    if (!isDeepStrictEqual(before.login, entry.login))
      parts.login = entry.login && new LoginCheck(entry.login);
    this.#entry = { ...entry, tls: before.tls };
    if ((before.login === undefined) !== (entry.login === undefined)) this.#warn();
    return this.#renewTls(entry);
  }

  /** True as soon as it takes no more connections. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** See Listener. */
  close(): Promise<void> {
    this.#isClosed = true;
    return this.#listener.close();
  }

  #renewTls(entry: ListenerEntry): unknown {
    if (entry.tls === undefined || isDeepStrictEqual(this.#entry.tls, entry.tls)) return undefined;
    try {
      this.#listener.renewTls(entry.tls);
      this.#entry = entry;
      return undefined;
    } catch (error) {
      return error;
    }
  }

  #warn(): void {
    const { log } = this.#around.shared;
    if (this.#entry.login === undefined) {
      warnOfExposure(log, this.port, exposureOf(this.#listener.address, this.#around.interfaces));
      return;
    }
    // moby/moby#30880, moby/moby#33071: a challenge from a mirror makes Docker up to 28 send its login for Docker Hub
    // (docs/protocol.md#docker-logins).
    const text = "this listener asks for a login: Docker up to 28 will offer it the user's Docker Hub login";
    log.warn({ port: this.port }, text);
  }
}
