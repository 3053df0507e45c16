/**
 * Owns the proxy listener: where it listens, and what becomes of each CONNECT. Names of upstreams are intercepted; where a registry sends its
 * clients, and what the setting allows, is tunnelled blind; all else is refused with one sentence. It must never open a tunnel to an address
 * that the address guard refuses.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { Authority } from "../../authority/authority.ts";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { type HostPort, hostPortText, parseAuthority, parseHostPort } from "../../oci/host-port.ts";
import { mayTunnel, type TunnelSetting } from "../../routing/tunnel-rules.ts";
import { statusPageOf } from "../admin/status-pages.ts";
import { refuse } from "../answers/respond.ts";
import { linger } from "../connections/close-in-stages.ts";
import { clientUrls, exposureOf, type Interfaces } from "../connections/exposure.ts";
import { type Listener, type ListenerCommons, openListener } from "../connections/listener.ts";
import { proxyRefusal } from "../connections/raw-refusal.ts";
import { splitRequestTarget } from "../registry/incoming-request.ts";
import { createRequestListener } from "../request-listener.ts";
import { plainAddress } from "../request-log.ts";
import { createInterceptedListener, type InterceptedParts } from "./intercepted-requests.ts";
import { Interception } from "./interception.ts";
import { type NamedParts, type NamedTerms, NamedUpstreams } from "./named-upstreams.ts";
import { SentPlaces } from "./sent-places.ts";
import { Tunnels } from "./tunnels.ts";

export type ProxyEntry = {
  /** 0 lets the system choose (tests). */
  readonly port: number;
  readonly host: string | undefined;
  readonly tunnel: TunnelSetting;
};

/** What of the settings can change while it runs. */
export type ProxyTerms = NamedTerms & { readonly drainMs: number; readonly stallMs?: number };

export type ProxySurroundings = Pick<NamedParts, "shared" | "relaying"> & {
  readonly commons: ListenerCommons;
  readonly interfaces: Interfaces | undefined;
  readonly certificates: Pick<Authority, "leaf">;
  /** A connection for a blind tunnel. Throws `denied`, `upstream-unavailable`, `aborted`. */
  readonly connect: (
    place: HostPort & { readonly isInternal: boolean },
    signal: AbortSignal,
  ) => Promise<Socket>;
};

const ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";

export class ServedProxy {
  readonly #around: ProxySurroundings;
  readonly #sentPlaces: SentPlaces;
  readonly #tunnels: Tunnels;
  readonly #interceptions = new Map<string, Promise<Interception>>();
  #entry: ProxyEntry;
  #terms: ProxyTerms;
  readonly #upstreams: NamedUpstreams;
  #listener: Listener | undefined;

  private constructor(entry: ProxyEntry, terms: ProxyTerms, around: ProxySurroundings) {
    this.#around = around;
    this.#entry = entry;
    this.#terms = terms;
    this.#sentPlaces = new SentPlaces(around.commons.clock);
    this.#upstreams = new NamedUpstreams(terms, { ...around, sentPlaces: this.#sentPlaces });
    this.#tunnels = new Tunnels(around.commons.clock);
  }

  /** Throws `config-invalid` when the port cannot be had. */
  static async open(entry: ProxyEntry, terms: ProxyTerms, around: ProxySurroundings): Promise<ServedProxy> {
    const proxy = new ServedProxy(entry, terms, around);
    const { drainMs, stallMs } = terms;
    const options = { ...entry, tls: undefined, drainMs, ...(stallMs !== undefined && { stallMs }) };
    const handlers = {
      answer: (incoming: IncomingMessage, outgoing: ServerResponse) => proxy.#plain(incoming, outgoing),
      onConnect: (incoming: IncomingMessage, socket: Socket, head: Buffer) =>
        void proxy.#connect(incoming, socket, head),
    };
    proxy.#listener = await openListener(options, handlers, around.commons);
    proxy.#warn(proxy.#listener);
    return proxy;
  }

  get port(): number {
    return this.#listener?.port ?? this.#entry.port;
  }

  /** What clients type to reach it; from other machines, if it can be reached from there. */
  get url(): string {
    const address = this.#listener?.address ?? "";
    return clientUrls({ address, port: this.port, cert: undefined }, this.#around.interfaces)[0];
  }

  get entry(): ProxyEntry {
    return this.#entry;
  }

  /** Later connections find these; names that are new or gone are so at once. The place itself stays. */
  renew(entry: ProxyEntry, terms: ProxyTerms): void {
    this.#entry = entry;
    this.#terms = terms;
    this.#upstreams.renew(terms);
    this.#listener?.renewPatience(terms);
    for (const name of this.#interceptions.keys()) this.#forget(name);
  }

  /** Takes no more connections; answers under way may go on for `drainMs`. Idempotent. */
  async close(): Promise<void> {
    const closed = this.#listener?.close();
    for (const name of this.#interceptions.keys()) this.#forget(name);
    this.#tunnels.endIdle();
    await closed;
  }

  /** A proxy has no login: in a network it is for everybody there, which is what it is for. */
  #warn({ address, port }: Listener): void {
    const { reach, addresses } = exposureOf(address, this.#around.interfaces);
    if (reach !== "internet") return;
    const text =
      "this proxy is open to the internet: set proxy.host to a private address, or close the port in the firewall";
    this.#around.shared.log.warn({ port, addresses }, text);
  }

  #plain(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const host = splitRequestTarget(incoming.url ?? "")?.absoluteHost?.toLowerCase();
    // A registry that is addressed by plain http has the name that it has by https.
    const named = host?.replace(/:80$/, "");
    const place = named === undefined ? undefined : parseAuthority(named);
    const parts = place && this.#upstreams.partsAt(place);
    if (parts !== undefined) createInterceptedListener(parts)(incoming, outgoing);
    else if (host === undefined && statusPageOf(incoming.url?.split("?")[0] ?? "") !== undefined)
      this.#status(incoming, outgoing);
    else refuse({ outgoing }, 403, ["DENIED", host === undefined ? NO_REGISTRY : notAllowed(host)]);
  }

  #status(incoming: IncomingMessage, outgoing: ServerResponse): void {
    createRequestListener({ ...this.#upstreams.faceParts(), listenerUpstream: "", login: undefined })(
      incoming,
      outgoing,
    );
  }

  async #connect(incoming: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const { commons, shared } = this.#around;
    socket.on("error", () => socket.destroy());
    const client = plainAddress(socket.remoteAddress);
    const place = parseHostPort(incoming.url);
    try {
      if (commons.admission.isBeyond(socket)) throw tooMany();
      if (place === undefined) throw new GranaryError("reference-invalid", "CONNECT names no host and port");
      const result = await this.#lead(place, socket, head);
      shared.metrics.proxyConnects.inc({ result });
      shared.log.info({ client, target: hostPortText(place), result }, "CONNECT");
    } catch (error) {
      if (!isGranaryError(error))
        shared.log.error({ err: error }, "a CONNECT failed with an unexpected error");
      const target = place === undefined ? undefined : hostPortText(place);
      shared.metrics.proxyConnects.inc({ result: "refused" });
      shared.log.info({ client, target, result: "refused", reason: messageOf(error) }, "CONNECT");
      this.#refuse(socket, error);
    }
  }

  /** Returns what became of it, for the log and the count. */
  async #lead(place: HostPort, socket: Socket, head: Buffer): Promise<"intercepted" | "tunnelled"> {
    const parts = this.#upstreams.partsAt(place);
    if (parts !== undefined) {
      const interception = await this.#interception(parts, place);
      await interception.take(socket, () => {
        socket.write(ESTABLISHED);
        if (head.length > 0) socket.unshift(head);
      });
      return "intercepted";
    }
    const sender = this.#sentPlaces.upstreamOf(place);
    if (sender === undefined && !mayTunnel(this.#entry.tunnel, place))
      throw new GranaryError("denied", notAllowed(hostPortText(place)));
    // Private addresses are allowed to those whom an upstream on a private address sends there.
    await this.#tunnel({ ...place, isInternal: this.#upstreams.isInternal(sender) }, socket, head);
    return "tunnelled";
  }

  async #tunnel(
    place: HostPort & { readonly isInternal: boolean },
    socket: Socket,
    head: Buffer,
  ): Promise<void> {
    const left = new AbortController();
    socket.once("close", () => left.abort());
    const server = await this.#around.connect(place, left.signal);
    socket.write(ESTABLISHED);
    void this.#tunnels.join(socket, server, head);
  }

  #interception(parts: InterceptedParts, place: HostPort): Promise<Interception> {
    const key = hostPortText(place);
    const known = this.#interceptions.get(key);
    if (known !== undefined) return known;
    const { certificates, commons } = this.#around;
    const { stallMs } = this.#terms;
    const opened = Interception.open({
      ...{ parts, certificates, name: place.host, commons, stallMs, tunnels: this.#tunnels },
    });
    this.#interceptions.set(key, opened);
    // The next client tries again.
    opened.catch(() => this.#interceptions.delete(key));
    return opened;
  }

  #forget(key: string): void {
    const opened = this.#interceptions.get(key);
    this.#interceptions.delete(key);
    opened?.then(
      (interception) => interception.end(),
      () => undefined, // Whoever waits for it hears why.
    );
  }

  #refuse(socket: Socket, error: unknown): void {
    if (!socket.writable) return;
    const [status, code] = statusOf(error);
    socket.write(proxyRefusal(status, code, messageOf(error)));
    linger(socket, this.#around.commons.clock);
  }
}

const NO_REGISTRY =
  "this port is a proxy: give its address to your client as HTTPS_PROXY, and use the names of registries as they are";

function notAllowed(target: string): string {
  return `${target} is no upstream of this Granary, and proxy.tunnel does not allow it; add one or the other to its settings`;
}

function tooMany(): GranaryError {
  return new GranaryError("closed", "there are too many connections; come back in a few seconds");
}

function statusOf(error: unknown): readonly [status: number, code: "DENIED" | "UNAVAILABLE" | "UNSUPPORTED"] {
  if (isGranaryError(error, "denied")) return [403, "DENIED"];
  if (isGranaryError(error, "reference-invalid")) return [400, "UNSUPPORTED"];
  return [isGranaryError(error, "closed") ? 503 : 502, "UNAVAILABLE"];
}
