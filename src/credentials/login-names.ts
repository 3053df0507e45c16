/**
 * Owns which keys of a login file mean a repository: hosts, hosts with a path (`quay.io/org`), and the spellings that logins
 * have left behind over the years (`https://index.docker.io/v1/`). Pure; it never looks at what lies under a key.
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

const KEY = /^(https?:\/\/)?([^/]+)(\/.*)?$/i;

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
