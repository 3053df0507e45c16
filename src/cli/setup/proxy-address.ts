/** Owns what a client of Granary's proxy must know: the proxy's address, its authority, and for which registries that signs. It opens no connection. */
import { certificateFacts } from "../../authority/certificate-facts.ts";
import { readCertificates } from "../../config/files.ts";
import { findConfig } from "../../config/find-config.ts";
import { loadWithoutSecrets } from "../../config/load.ts";
import type { Settings } from "../../config/settings.ts";
import { clientUrls } from "../../http/connections/exposure.ts";
import type { ProxyTarget } from "../../setup/clients/docker-proxy.ts";
import { readAuthorityCertificate } from "../../store/authority-files.ts";
import { layoutOf } from "../../store/layout.ts";
import { misused } from "../exit-code.ts";
import { type AddressFlags, checkedRegistry, typedUrl } from "./mirror-address.ts";

/** Where proxies for http listen by custom, and Granary's where nothing else is said. */
const PROXY_PORT = 3128;

/** Throws `config-invalid`: an address that cannot be meant, no proxy in the settings, or no certificate of its authority. */
export async function proxyTarget(flags: AddressFlags & { readonly config?: string }): Promise<ProxyTarget> {
  const settings = await loadWithoutSecrets(await findConfig(flags.config, process.env), process.env);
  const url = flags.serverAddress === undefined ? ownUrl(settings) : typedProxy(flags.serverAddress);
  const { certificate, hosts } = await authorityOf(flags, settings);
  const registries = flags.registry?.map(checkedRegistry) ?? withPorts(hosts, settings);
  return { url, certificate, registries };
}

function typedProxy(address: string): string {
  const url = typedUrl(address, PROXY_PORT);
  if (url.startsWith("http:")) return url;
  throw misused(
    "--server-address of a proxy begins with http://: Granary's proxy is asked over plain http for what is then encrypted.",
  );
}

/** On this machine the loopback address is the one that stays. */
function ownUrl({ proxy }: Settings): string {
  if (proxy === undefined || proxy.port === 0)
    throw misused(
      "The settings name no proxy with a port: add a section proxy, or name the proxy of another Granary by --server-address.",
    );
  const { host = "::", port } = proxy;
  if (host === "::" || host === "0.0.0.0") return `http://127.0.0.1:${port}`;
  return clientUrls({ address: host, port, cert: undefined })[0];
}

async function authorityOf({ caFile, serverAddress }: AddressFlags, { storage }: Settings) {
  const certificate =
    caFile === undefined
      ? await readAuthorityCertificate(layoutOf(storage.directory))
      : await readCertificates(caFile, "--ca-file");
  if (certificate === undefined) throw noAuthority(serverAddress, storage.directory);
  const facts = certificateFacts(certificate);
  if (facts === undefined)
    throw misused("The certificate of the proxy's authority cannot be read: name its file with --ca-file.");
  return { certificate, hosts: facts.hosts };
}

function noAuthority(serverAddress: string | undefined, directory: string) {
  const where = serverAddress === undefined ? `in ${directory}` : "on this machine";
  return misused(
    `There is no certificate of the proxy's authority ${where}: get it from the server (/ca.crt of its admin face, or granary ca show there), and name its file with --ca-file.`,
  );
}

/** A certificate knows no ports, and Docker looks for the name with its port. */
function withPorts(hosts: readonly string[], { upstreams }: Settings): string[] {
  const names = upstreams.flatMap(({ name, aliases }) => [name, ...aliases]);
  const ported = names.filter((name) => /:\d+$/.test(name) && hosts.includes(name.replace(/:\d+$/, "")));
  return [...hosts, ...ported];
}
