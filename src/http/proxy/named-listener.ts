/**
 * Owns a listener that clients take for a registry, because their DNS leads its name here: the name in the handshake chooses the certificate,
 * the Host of each request chooses the upstream, and it is answered as inside the proxy. It must never show a certificate for another name
 * than one of an upstream, nor guess what a request means that names none.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { createSecureContext, type SecureContext } from "node:tls";
import type { LeafCertificate } from "../../authority/authority.ts";
import { messageOf } from "../../errors.ts";
import { type HostPort, parseAuthority } from "../../oci/host-port.ts";
import { clientUrls } from "../connections/exposure.ts";
import { type Listener, openListener } from "../connections/listener.ts";
import type { KeptListener, ListenerEntry, ListenerSurroundings } from "../connections/served-listener.ts";
import { type Fault, faultOf, splitRequestTarget } from "../registry/incoming-request.ts";
import { loopFault } from "../registry/own-requests.ts";
import { openRequest, refuseMalformed } from "../request-listener.ts";
import { createInterceptedListener, type InterceptedParts } from "./intercepted-requests.ts";
import { NamedUpstreams } from "./named-upstreams.ts";
import { endWith, mayUpgrade, relayUpgrade } from "./relay-upgrade.ts";
import type { ProxySurroundings, ProxyTerms } from "./served-proxy.ts";
import { Tunnels } from "./tunnels.ts";

export type NamedSurroundings = ListenerSurroundings & Pick<ProxySurroundings, "relaying" | "certificates">;

export class NamedListener implements KeptListener {
  readonly #around: NamedSurroundings;
  readonly #tunnels: Tunnels;
  /** Reading a certificate takes as long as a handshake. */
  readonly #contexts = new WeakMap<LeafCertificate, SecureContext>();
  #entry: ListenerEntry;
  readonly #upstreams: NamedUpstreams;
  #listener: Listener | undefined;
  #isClosed = false;

  private constructor(entry: ListenerEntry, terms: ProxyTerms, around: NamedSurroundings) {
    this.#around = around;
    this.#entry = entry;
    this.#upstreams = new NamedUpstreams(terms, around);
    this.#tunnels = new Tunnels(around.commons.clock);
  }

  /** Throws `config-invalid` when the port cannot be had. */
  static async open(
    entry: ListenerEntry,
    terms: ProxyTerms,
    around: NamedSurroundings,
  ): Promise<NamedListener> {
    const named = new NamedListener(entry, terms, around);
    const { port, host } = entry;
    const { drainMs, stallMs } = terms;
    const tls = { contextOf: (name: string) => named.#contextOf(name) };
    // An upload may take hours: what counts is that it goes on (silence.ts).
    const options = { port, host, tls, drainMs, requestMs: 0, ...(stallMs !== undefined && { stallMs }) };
    const handlers = {
      answer: (incoming: IncomingMessage, outgoing: ServerResponse) => named.#answer(incoming, outgoing),
      mayUpgrade,
      onUpgrade: (incoming: IncomingMessage, socket: Socket, head: Buffer) =>
        named.#upgrade(incoming, socket, head),
    };
    named.#listener = await openListener(options, handlers, around.commons);
    return named;
  }

  get port(): number {
    return this.#listener?.port ?? this.#entry.port;
  }

  get entry(): ListenerEntry {
    return this.#entry;
  }

  get upstream(): string {
    return this.#entry.upstream;
  }

  /** By address: clients use the names of registries, which their DNS leads there. */
  get urls(): readonly [string, ...string[]] {
    const place = { address: this.#listener?.address ?? "", port: this.port, scheme: "https" as const };
    return clientUrls({ ...place, cert: undefined }, this.#around.interfaces);
  }

  get url(): string {
    return this.urls[0];
  }

  /** True when `entry` can be had without opening another one. */
  canBecome({ port, host, tlsFromCa }: ListenerEntry): boolean {
    return tlsFromCa === true && this.#entry.port === port && this.#entry.host === host;
  }

  /** Later handshakes and requests find these; names that are new or gone are so at once. */
  renew(entry: ListenerEntry, terms: ProxyTerms): undefined {
    this.#entry = entry;
    this.#upstreams.renew(terms);
    this.#listener?.renewPatience(terms);
  }

  /** True as soon as it takes no more connections. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** See Listener. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#tunnels.endIdle();
    await this.#listener?.close();
  }

  /** undefined ends the handshake with an alert, as for a client that names nobody. */
  async #contextOf(name: string): Promise<SecureContext | undefined> {
    const host = name.toLowerCase();
    const { certificates, shared } = this.#around;
    if (!this.#upstreams.hasHost(host)) return undefined;
    try {
      const leaf = await certificates.leaf(host);
      const context = this.#contexts.get(leaf) ?? createSecureContext(leaf);
      this.#contexts.set(leaf, context);
      return context;
    } catch (error) {
      shared.log.error({ host, reason: messageOf(error) }, "a certificate cannot be made");
      return undefined;
    }
  }

  #answer(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const parts = this.#partsFor(incoming);
    if (parts === undefined) this.#refuse(incoming, outgoing);
    else createInterceptedListener(parts)(incoming, outgoing);
  }

  #refuse(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { requests, ownRequests } = this.#around.shared;
    const loop = loopFault(incoming, this.#entry.upstream, ownRequests);
    refuseMalformed(openRequest(requests, incoming, outgoing), faultOf(incoming) ?? loop ?? NO_UPSTREAM);
  }

  #upgrade(incoming: IncomingMessage, socket: Socket, head: Buffer): void {
    const parts = this.#partsFor(incoming);
    if (parts === undefined) endWith(socket, "421 Misdirected Request");
    else void relayUpgrade(parts, this.#tunnels, [incoming, socket, head]);
  }

  /** By the Host of the request; undefined where that is no upstream's. */
  #partsFor(incoming: IncomingMessage): InterceptedParts | undefined {
    const place = placeOf(incoming);
    return place && this.#upstreams.partsAt(place);
  }
}

const NO_UPSTREAM: Fault = [
  421,
  "NAME_UNKNOWN",
  "the Host of the request is the name of no upstream of this Granary: add it to upstreams, or lead its name elsewhere",
];

/** RFC 9112, 3.2.2: a target with a host of its own counts before the header. */
function placeOf({ url = "/", headers }: IncomingMessage): HostPort | undefined {
  const host = splitRequestTarget(url)?.absoluteHost ?? headers.host ?? "";
  return parseAuthority(host);
}
