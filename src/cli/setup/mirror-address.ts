/**
 * Owns where a client finds Granary: the address that was typed, or a listener of the settings as this machine reaches it. It opens no
 * connection.
 */
import { X509Certificate } from "node:crypto";
import { readCertificates } from "../../config/files.ts";
import type { Settings } from "../../config/settings.ts";
import { clientUrls } from "../../http/connections/exposure.ts";
import type { Login } from "../../oci/credentials.ts";
import type { ClientKind } from "../../setup/client-kinds.ts";
import type { MirroredRegistry, MirrorTarget } from "../../setup/mirror-target.ts";
import type { OfferedListener } from "../../setup/offered-listener.ts";
import type { Upstream } from "../../upstream/policy.ts";
import { misused } from "../exit-code.ts";

/** Of the listener for Docker Hub, where settings say nothing else. */
export const USUAL_PORT = 5_000;

export type AddressFlags = {
  readonly serverAddress?: string | undefined;
  readonly caFile?: string | undefined;
  readonly registry?: readonly string[] | undefined;
};

/** What is known of the Granary that clients are pointed at. */
export type Granary = {
  readonly listeners: readonly OfferedListener[];
  readonly upstreams: readonly KnownUpstream[];
};

type KnownUpstream = Pick<Upstream, "name" | "names" | "endpoints">;

export type AddressAsk = AddressFlags & {
  readonly login?: Login | undefined;
  /** The client runs on another machine, where this one's loopback address means nothing. */
  readonly isElsewhere?: boolean;
  /** The typed address is one of this Granary: what is known of the listener with its port holds for it. */
  readonly isOwn?: boolean;
};

/** Throws `config-invalid`: an address that cannot be meant, or no listener for this client. */
export async function mirrorTarget(
  kind: ClientKind,
  ask: AddressAsk,
  { listeners, upstreams }: Granary,
): Promise<MirrorTarget> {
  const { caFile, registry, login } = ask;
  const { url, listener } = placeOf(kind, ask, listeners);
  const ca = caFile === undefined ? ownAuthority(listener) : await readCertificates(caFile, "--ca-file");
  const { origin, host, protocol } = new URL(url);
  const wantsLogin = login !== undefined || listener?.wantsLogin === true;
  if (ca !== undefined && protocol === "http:")
    throw misused(`${origin} speaks plain http: --ca-file is for an address with https.`);
  const registries = registriesFor(registry, upstreams);
  return { url: origin, host, isPlain: protocol === "http:", ca, login, wantsLogin, registries };
}

type Place = { readonly url: string; readonly listener: OfferedListener | undefined };

function placeOf(
  kind: ClientKind,
  { serverAddress, isElsewhere = kind === "kind", isOwn = false }: AddressAsk,
  listeners: readonly OfferedListener[],
): Place {
  if (serverAddress === undefined) {
    const listener = listenerFor(kind, listeners);
    return { url: ownUrl(listener, isElsewhere), listener };
  }
  const url = typedUrl(serverAddress, kind === "ollama" ? 11_435 : USUAL_PORT);
  return { url, listener: isOwn ? listenerAt(url, listeners) : undefined };
}

/** The listeners of settings that clients can be pointed to; a port that the system chooses is known only to the process that has it. */
export function offeredBy({ listeners }: Pick<Settings, "listeners">): OfferedListener[] {
  return listeners
    .filter(({ port, tlsFromCa }) => port !== 0 && tlsFromCa !== true)
    .map(({ port, host, upstream, tls, login }) => ({
      upstream,
      port,
      host,
      urls: clientUrls({ address: host ?? "::", port, cert: tls?.cert }),
      certificate: tls?.cert,
      wantsLogin: login !== undefined,
    }));
}

/** The upstream that the client means when it names none. */
function upstreamOf(kind: ClientKind): string {
  return kind === "ollama" ? "registry.ollama.ai" : "docker.io";
}

/** One without a login is better, because every client can use it. */
function listenerFor(kind: ClientKind, listeners: readonly OfferedListener[]): OfferedListener {
  const upstream = upstreamOf(kind);
  const own = listeners.filter((each) => each.upstream === upstream);
  // Only these two cannot say which registry they mean.
  const meant = own.length > 0 || kind === "docker" || kind === "ollama" ? own : listeners;
  const found = meant.find(({ wantsLogin }) => !wantsLogin) ?? meant[0];
  if (found !== undefined) return found;
  throw misused(
    `The settings have no listener for ${upstream}: add one under listeners, or name another Granary by --server-address.`,
  );
}

/** A listener whose port was published as another one is not known by its address. */
function listenerAt(url: string, listeners: readonly OfferedListener[]): OfferedListener | undefined {
  const { port, protocol } = new URL(url);
  const number = Number(port || (protocol === "https:" ? 443 : 80));
  return listeners.find(
    (each) => each.port === number && (each.certificate !== undefined) === (protocol === "https:"),
  );
}

/** On this machine the loopback address is the one that stays; other machines and certificates need another. */
function ownUrl({ host, port, urls, certificate }: OfferedListener, isElsewhere: boolean): string {
  const isEverywhere = host === undefined || host === "::" || host === "0.0.0.0";
  return certificate === undefined && !isElsewhere && isEverywhere ? `http://127.0.0.1:${port}` : urls[0];
}

/** A certificate that signed itself is its own authority; of any other it is not known whether clients trust it. */
function ownAuthority(listener: OfferedListener | undefined): string | undefined {
  if (listener?.certificate === undefined) return undefined;
  const certificate = new X509Certificate(listener.certificate);
  return certificate.issuer === certificate.subject ? listener.certificate : undefined;
}

/** A URL, or a host with or without a port, as people say it; `usualPort` is meant where there is neither. Throws `config-invalid`. */
export function typedUrl(text: string, usualPort: number): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const url = URL.parse(hasScheme ? text : `http://${text}`);
  const isPlain =
    url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  // URLs take more than hosts are called; it stands in files of many formats.
  const isGood = isPlain && /^(?:[\w.-]+|\[[\da-f:.]+\])$/i.test(url.hostname);
  if (!isGood || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw misused(
      `--server-address takes the address of a listener, such as http://192.168.1.10:5000, without a path or a login.`,
    );
  }
  const hasPort = hasScheme || url.port !== "" || /:\d+\/?$/.test(text);
  return hasPort ? url.origin : `${url.origin}:${usualPort}`;
}

/** Those that were named, else all that the settings reach and that are asked for images. */
function registriesFor(
  named: readonly string[] | undefined,
  upstreams: readonly KnownUpstream[],
): MirroredRegistry[] {
  const known = upstreams
    .filter(({ names }) => names !== "ollama")
    .map(({ name, endpoints }) => ({ name, server: endpoints[0] ?? `https://${name}` }));
  if (named === undefined) return known;
  return named.map(checkedRegistry).map((name) => {
    return known.find((each) => each.name === name) ?? { name, server: `https://${name}` };
  });
}

/** `name` where it can be the host of a registry: it becomes a part of paths. Throws `config-invalid`. */
export function checkedRegistry(name: string): string {
  if (/^[a-z0-9][a-z0-9.-]*(?::\d{1,5})?$/i.test(name)) return name;
  throw misused(`--registry takes the host of a registry, such as ghcr.io, not "${name}".`);
}
