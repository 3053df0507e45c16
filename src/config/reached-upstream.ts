/**
 * Owns how an upstream is reached: at which endpoints, and as whom. Settings, what a caller gives, and the login files are put together here. A
 * login is never given to a host that it is not for: a mirror of a registry does not get the registry's own.
 */
import { isOwnHost, registryNames } from "../credentials/login-names.ts";
import type { Logins } from "../credentials/logins.ts";
import { PasswordFile } from "../credentials/password-file.ts";
import { type Credentials, type CredentialsOf, identityWith, identityWithout } from "../oci/credentials.ts";
import type { TlsMaterial } from "../upstream/network/trust.ts";
import type { Upstream } from "../upstream/policy.ts";
import { plainUpstream } from "./defaults.ts";
import type { Settings, UpstreamSettings } from "./settings.ts";

/** How a registry is reached that somebody names: by its settings where it has some, else by its own name. */
export type ReachOptions = {
  readonly settings: Settings;
  /** Base URL of a Granary, or of any registry, that is asked in place of the registry that a name implies. */
  readonly via?: string;
  /** Plain HTTP to the registries that names imply. */
  readonly insecure?: boolean;
  /**
   * Given by the caller: they win over everything that is configured, and go to the registry that a name implies, or to `via`. Without
   * them the settings' count, and where those are silent the login files.
   */
  readonly credentials?: Credentials;
  /** PEM text of certificate authorities that are trusted beside the usual ones and those of the settings. */
  readonly ca?: string;
};

/** `registry` as an Upstream, by `options`; a registry that no setting names may lie on a private address. */
export function reachedUpstream(
  registry: string,
  { settings, via, insecure, credentials, ca }: ReachOptions,
  logins: Logins,
): { readonly upstream: Upstream; readonly tls: TlsMaterial | undefined } {
  const configured = configuredOf(settings, registry);
  const reached = {
    ...withOwnCredentials(configured, passwordFileOf(configured), logins),
    ...(insecure === true && { endpoints: [`http://${registry}`], internal: true }),
    ...(via !== undefined && viaEndpoint(via, registry)),
  };
  return { upstream: withCredentials(reached, credentials, logins), tls: withAuthority(configured.tls, ca) };
}

/** The file that the upstream's password is read from, where its settings name one. */
export function passwordFileOf({
  name,
  credentials,
  passwordFile: file,
}: UpstreamSettings): PasswordFile | undefined {
  if (file === undefined || credentials === undefined) return undefined;
  if (typeof credentials === "function" || !("password" in credentials)) return undefined;
  return new PasswordFile({ credentials, file, path: `upstreams.${name}.passwordFile` });
}

/** The upstream with the credentials of its settings, and without the keys that are for whoever opens it. */
export function withOwnCredentials(
  { tls: _, credentialsFrom, passwordFile: __, passage: ___, ...upstream }: UpstreamSettings,
  password: PasswordFile | undefined,
  logins: Logins,
): Upstream {
  if (credentialsFrom !== undefined) return withLogins(upstream, logins);
  return password === undefined ? upstream : { ...upstream, credentials: async () => password.identity() };
}

function withAuthority(tls: TlsMaterial | undefined, ca: string | undefined): TlsMaterial | undefined {
  if (ca === undefined) return tls;
  return { ...tls, ca: tls?.ca === undefined ? ca : `${tls.ca}\n${ca}` };
}

function withCredentials(upstream: Upstream, given: Credentials | undefined, logins: Logins): Upstream {
  if (given !== undefined) return { ...upstream, credentials: givenTo(upstream, given) };
  return upstream.credentials === undefined ? withLogins(upstream, logins) : upstream;
}

/** A mirror never gets the login of the registry that it mirrors: it gets what the login files have for its own host. */
function withLogins(upstream: Upstream, logins: Logins): Upstream {
  const credentials: CredentialsOf = ({ host, repository }) =>
    logins.find({ names: registryNames(upstream, host), repository });
  return { ...upstream, credentials };
}

/** Not for mirrors that stand beside the registry's own endpoints; where none is its own, they are the registry. */
function givenTo(upstream: Upstream, given: Credentials): CredentialsOf {
  const credentials = { rule: "the caller", ...given };
  const hosts = upstream.endpoints.map((endpoint) => new URL(endpoint).host);
  const hasOwn = hosts.some((host) => isOwnHost(upstream, host));
  return async ({ host }) =>
    !hasOwn || isOwnHost(upstream, host) ? identityWith(credentials) : identityWithout(host);
}

function configuredOf(settings: Settings, registry: string): UpstreamSettings {
  const isNamed = ({ name, aliases }: UpstreamSettings) => name === registry || aliases.includes(registry);
  const plain = { ...plainUpstream(registry), internal: true, tls: undefined };
  return settings.upstreams.find(isNamed) ?? { ...plain, endpoints: [`${schemeOf(registry)}://${registry}`] };
}

/** Docker and go-containerregistry speak plain HTTP to this very machine as well. */
function schemeOf(registry: string): "http" | "https" {
  return /^(?:localhost|127\.[0-9.]+|\[::1\])(?::|$)/.test(registry) ? "http" : "https";
}

/** The registry's own credentials are not for a mirror of it. */
function viaEndpoint(via: string, registry: string) {
  return {
    endpoints: [via.replace(/\/+$/, "")],
    ns: registry,
    internal: true,
    realms: [],
    credentials: undefined,
  };
}
