/**
 * Owns under which names a login for an upstream's host may be found. The login of a registry is not for a mirror of it: a host
 * that bears none of the registry's names gets only what is kept under its own. Pure.
 */

type Named = { readonly name: string; readonly aliases: readonly string[] };

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
