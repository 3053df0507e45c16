/**
 * Owns under which names the login for an upstream's host is looked for, and which keys of a login file these names match: hosts, hosts with a
 * path (`quay.io/org`), and older spellings (`https://index.docker.io/v1/`). The login of a registry is not for a mirror of it: a host that
 * has none of the registry's names gets only what is kept under its own. Pure; it never looks at what a key holds.
 */
import { canonicalHost, DOCKER_HUB } from "../oci/reference.ts";

export type LoginAsk = {
  /** Names of the registry that will get the credentials, best first. */
  readonly names: readonly string[];
  readonly repository: string;
};

export type MatchingKey = {
  readonly key: string;
  /** The registry that the key names. */
  readonly host: string;
  /** The key names a namespace or a repository, not the whole registry. */
  readonly isScoped: boolean;
};

type Scope = { readonly host: string; readonly path: string };

type Named = { readonly name: string; readonly aliases: readonly string[] };

const KEY = /^(https?:\/\/)?([^/]+)(\/.*)?$/i;

/** The names to look under for `host` (with its port) of `upstream`, best first. */
export function registryNames(upstream: Named, host: string): readonly string[] {
  const names = [upstream.name, ...upstream.aliases];
  return isOwnHost(upstream, host) ? [...new Set([...names, host])] : [host];
}

/** True when `host` is the registry itself: one of its names, on whatever port where the name says none. */
export function isOwnHost({ name, aliases }: Named, host: string): boolean {
  const bare = host.replace(/:\d+$/, "");
  return [name, ...aliases].some((own) => own === bare || withoutUsualPort(own) === host);
}

/** URLs leave the usual port out, names keep it: "ghcr.io:443" is the host "ghcr.io". */
function withoutUsualPort(name: string): string {
  return name.replace(/:(?:443|80)$/, "");
}

/** The keys that cover `ask`, best first: the longest path, then the order of the names, then the exact spelling. */
export function matchingKeys(keys: readonly string[], { names, repository }: LoginAsk): MatchingKey[] {
  const hosts = names.map(canonicalHost);
  return keys
    .map((key) => ({ key, scope: scopeOf(key) }))
    .filter(({ scope }) => hosts.includes(scope.host) && covers(scope.path, repository))
    .map(({ key, scope }) => ({ key, scope, rank: rankOf(key, scope, hosts, names) }))
    .sort((a, b) => b.scope.path.length - a.scope.path.length || a.rank - b.rank)
    .map(({ key, scope }) => ({ key, host: scope.host, isScoped: scope.path !== "" }));
}

function scopeOf(key: string): Scope {
  const [, scheme, host = "", rest = ""] = KEY.exec(key.trim()) ?? [];
  const canonical = canonicalHost(host);
  const path = rest.replace(/^\/+|\/+$/g, "");
  // "https://host/v2/" is an API's address; "host/v2" without a sign of a URL is a namespace of that name.
  const isAddress = scheme !== undefined || rest.endsWith("/") || canonical === DOCKER_HUB;
  return { host: canonical, path: isAddress && /^v[12]$/.test(path) ? "" : path };
}

function covers(path: string, repository: string): boolean {
  return path === "" || path === repository || repository.startsWith(`${path}/`);
}

function rankOf(key: string, { host }: Scope, hosts: readonly string[], names: readonly string[]): number {
  const isExact = names.includes(key);
  return hosts.indexOf(host) * 2 + (isExact ? 0 : 1);
}
