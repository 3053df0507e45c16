/**
 * Owns whether there is a proxy listener, at the start and through changes of the settings: one that stays at its place goes on, another is opened
 * before the old one is closed. All or nothing, as for the other listeners.
 */

import { tryPlace } from "../connections/listener.ts";
import type { OpenCertificates } from "./host-certificates.ts";
import { type ProxyEntry, type ProxySurroundings, type ProxyTerms, ServedProxy } from "./served-proxy.ts";

/** What only the proxy needs of what it is served with. */
export type ProxyMeans = Pick<ProxySurroundings, "relaying" | "connect"> & {
  /** By which its own requests are known when they come back (upstream/network/via.ts). */
  readonly via?: string;
  /** For the names of these upstreams, from now on. Throws `config-invalid`, `store-damaged`. */
  readonly certificates: OpenCertificates;
};

export type ProxyChange = {
  readonly opened: ServedProxy | undefined;
  apply(): void;
  abandon(): Promise<void>;
};

export class ProxyOfSettings {
  readonly #means: ProxyMeans | undefined;
  readonly #around: Omit<ProxySurroundings, "relaying" | "connect">;
  #current: ServedProxy | undefined;
  readonly #leaving = new Set<Promise<void>>();

  /** Without `means` there is never one. */
  constructor(means: ProxyMeans | undefined, around: Omit<ProxySurroundings, "relaying" | "connect">) {
    this.#means = means;
    this.#around = around;
  }

  get current(): ServedProxy | undefined {
    return this.#current;
  }

  /** Throws `config-invalid` where the port is another program's. */
  async try(wanted: ProxyEntry | undefined): Promise<readonly string[]> {
    const now = this.#current;
    if (wanted === undefined) return now === undefined ? [] : [`no longer is a proxy on port ${now.port}`];
    if (this.#stays(wanted)) return [];
    if (wanted.port !== now?.port) await tryPlace(wanted.port, wanted.host);
    return [`is a proxy on port ${wanted.port}`];
  }

  /** Throws `config-invalid` where the port cannot be had. `apply` or `abandon` follows. */
  async prepare(wanted: ProxyEntry | undefined, terms: ProxyTerms): Promise<ProxyChange> {
    const before = this.#current;
    const means = this.#means;
    if (wanted === undefined || means === undefined)
      return this.#change(undefined, undefined, () => undefined);
    if (before !== undefined && this.#stays(wanted))
      return this.#change(before, undefined, () => before.renew(wanted, terms));
    // The system gives a port to one listener at a time.
    if (wanted.port !== 0 && before?.port === wanted.port) this.#leave(before);
    const opened = await ServedProxy.open(wanted, terms, {
      ...this.#around,
      ...means,
      certificates: this.#around.certificates,
    });
    return this.#change(opened, opened, () => undefined);
  }

  /** Resolves when it is closed, also what was taken away before. */
  async close(): Promise<void> {
    await Promise.all([this.#current?.close(), ...this.#leaving]);
  }

  #stays({ port, host }: ProxyEntry): boolean {
    const entry = this.#current?.entry;
    return entry !== undefined && entry.port === port && entry.host === host;
  }

  #change(next: ServedProxy | undefined, opened: ServedProxy | undefined, renew: () => void): ProxyChange {
    return {
      opened,
      apply: () => {
        if (this.#current !== undefined && this.#current !== next) this.#leave(this.#current);
        this.#current = next;
        renew();
      },
      abandon: async () => await opened?.close(),
    };
  }

  #leave(proxy: ServedProxy): void {
    const leaving: Promise<void> = proxy.close().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }
}
