/**
 * Owns where a client finds Granary: the address that was typed, or a listener of the settings as this machine reaches it. It opens no
 * connection.
 */
import { X509Certificate } from "node:crypto";
import { readCertificates } from "../../config/files.ts";
import type { ListenerSettings, Settings } from "../../config/settings.ts";
import { clientUrls } from "../../http/connections/exposure.ts";
import type { Login } from "../../oci/credentials.ts";
import type { MirroredRegistry, MirrorTarget } from "../../setup/mirror-target.ts";
import type { ClientKind } from "../../setup/setup-client.ts";
import { misused } from "../exit-code.ts";

export type AddressFlags = {
  readonly serverAddress?: string;
  readonly caFile?: string;
  readonly registry?: readonly string[];
};

/** Throws `config-invalid`: an address that cannot be meant, or settings without a listener for this client. */
export async function mirrorTarget(
  kind: ClientKind,
  flags: AddressFlags,
  settings: Settings,
  login: Login | undefined,
): Promise<MirrorTarget> {
  const { serverAddress, caFile } = flags;
  const listener = serverAddress === undefined ? listenerFor(kind, settings) : undefined;
  const url = listener === undefined ? typedUrl(serverAddress ?? "", kind) : ownUrl(listener, kind);
  const ca = caFile === undefined ? ownAuthority(listener) : await readCertificates(caFile, "--ca-file");
  const { origin, host, protocol } = new URL(url);
  const wantsLogin = login !== undefined || listener?.login !== undefined;
  if (ca !== undefined && protocol === "http:")
    throw misused(`${origin} speaks plain http: --ca-file is for an address with https.`);
  const registries = registriesFor(flags.registry, settings);
  return { url: origin, host, isPlain: protocol === "http:", ca, login, wantsLogin, registries };
}

/** The upstream that the client means when it names none. */
function upstreamOf(kind: ClientKind): string {
  return kind === "ollama" ? "registry.ollama.ai" : "docker.io";
}

/** One without a login is better, because every client can use it. */
function listenerFor(kind: ClientKind, { listeners }: Settings): ListenerSettings {
  const upstream = upstreamOf(kind);
  const fixed = listeners.filter(({ port }) => port !== 0);
  const own = fixed.filter((each) => each.upstream === upstream);
  // Only these two cannot say which registry they mean.
  const meant = own.length > 0 || kind === "docker" || kind === "ollama" ? own : fixed;
  const found = meant.find(({ login }) => login === undefined) ?? meant[0];
  if (found !== undefined) return found;
  throw misused(
    `The settings have no listener for ${upstream}: add one under listeners, or name another Granary by --server-address.`,
  );
}

/** On this machine the loopback address is the one that stays; a cluster's nodes and certificates need another. */
function ownUrl({ host, port, tls }: ListenerSettings, kind: ClientKind): string {
  const address = host ?? "::";
  if (tls === undefined && kind !== "kind" && isEverywhere(address)) return `http://127.0.0.1:${port}`;
  return clientUrls({ address, port, cert: tls?.cert })[0];
}

function isEverywhere(address: string): boolean {
  return address === "::" || address === "0.0.0.0";
}

/** A certificate that signed itself is its own authority; of any other it is not known whether clients trust it. */
function ownAuthority(listener: ListenerSettings | undefined): string | undefined {
  if (listener?.tls === undefined) return undefined;
  const certificate = new X509Certificate(listener.tls.cert);
  return certificate.issuer === certificate.subject ? listener.tls.cert : undefined;
}

/** A URL, or a host with or without a port, as people say it. */
export function typedUrl(text: string, kind: ClientKind): string {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const url = URL.parse(hasScheme ? text : `http://${text}`);
  const isGood = url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "";
  if (!isGood || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
    throw misused(
      `--server-address takes the address of a listener, such as http://192.168.1.10:5000, without a path or a login.`,
    );
  }
  const hasPort = hasScheme || url.port !== "" || /:\d+\/?$/.test(text);
  return hasPort ? url.origin : `${url.origin}:${kind === "ollama" ? 11_435 : 5_000}`;
}

/** Those that were named, else all that the settings reach and that are asked for images. */
function registriesFor(named: readonly string[] | undefined, { upstreams }: Settings): MirroredRegistry[] {
  const known = upstreams
    .filter(({ names }) => names !== "ollama")
    .map(({ name, endpoints }) => ({ name, server: endpoints[0] ?? `https://${name}` }));
  if (named === undefined) return known;
  return named.map((name) => {
    if (!/^[a-z0-9][a-z0-9.-]*(?::\d{1,5})?$/i.test(name))
      throw misused(`--registry takes the host of a registry, such as ghcr.io, not "${name}".`);
    return known.find((each) => each.name === name) ?? { name, server: `https://${name}` };
  });
}
