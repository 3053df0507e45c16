/**
 * Owns the URLs of the distribution-spec's read side. Names and references come in parsed; nothing is decoded here. An
 * endpoint may end in `?ns=NAME` (see endpointOf): every URL below it then carries that. It may have a prefix after `/v2` (see
 * repositoryAt).
 */

/** The longest query of a list, in characters. Longer ones do not fit into every server's request line, and no registry needs them. */
export const MOST_QUERY = 4_000;

/** What the URLs of `ns` at `endpoint` (no trailing slash) are made from: a mirror of many registries is told which one. */
export function endpointOf(endpoint: string, ns: string | undefined): string {
  return ns === undefined ? endpoint : `${endpoint}?ns=${encodeURIComponent(ns)}`;
}

/**
 * The name that `repository` has at `endpoint`: what follows `/v2/` in an endpoint is put before every name there (a proxy project of Harbor,
 * ECR's pull-through). Scopes and logins are for that name; no client ever hears it.
 */
export function repositoryAt(endpoint: string, repository: string): string {
  return `${splitPath(new URL(endpoint)).prefix}${repository}`;
}

/** What stands before `/v2`, without a slash at its end, and what follows it, with one. */
function splitPath({ pathname }: URL): { readonly base: string; readonly prefix: string } {
  const path = pathname.replace(/\/+$/, "");
  const [, base = path, prefix] = /^(.*?)\/v2\/(.+)$/.exec(path) ?? [];
  return { base, prefix: prefix === undefined ? "" : `${prefix}/` };
}

/** The prefix of an endpoint, without slashes; undefined when it has none. */
export function prefixOf(endpoint: string): string | undefined {
  return splitPath(new URL(endpoint)).prefix.slice(0, -1) || undefined;
}

function urlOf(endpoint: string, path: string): URL {
  const url = new URL(endpoint);
  const { base, prefix } = splitPath(url);
  url.pathname = `${base}/v2/${prefix}${path}`;
  return url;
}

/** The registry's base, which answers for itself and is below no prefix (distribution-spec, end-1). */
export function baseUrl(endpoint: string): URL {
  const url = new URL(endpoint);
  url.pathname = `${splitPath(url).base}/v2/`;
  return url;
}

/** Where a client's `path`, with its query, lies at `endpoint`. As the client wrote it: an URL object would resolve dots and escapes. */
export function relayPath(endpoint: string, path: string): string {
  const { base, prefix } = splitPath(new URL(endpoint));
  return `${base}${path.replace(/^\/v2\/(?=[^?])/, `/v2/${prefix}`)}`;
}

export function manifestUrl(endpoint: string, repository: string, reference: string): URL {
  return urlOf(endpoint, `${repository}/manifests/${reference}`);
}

export function blobUrl(endpoint: string, repository: string, digest: string): URL {
  return urlOf(endpoint, `${repository}/blobs/${digest}`);
}

export function referrersUrl(endpoint: string, repository: string, digest: string): URL {
  return urlOf(endpoint, `${repository}/referrers/${digest}`);
}

export function tagsUrl(endpoint: string, repository: string, query: string): URL {
  return withQuery(urlOf(endpoint, `${repository}/tags/list`), query);
}

/** `url`, asked with `query` beside what its endpoint ends in. */
export function withQuery(url: URL, query: string): URL {
  const asked = new URL(url);
  if (query !== "") asked.search = url.search === "" ? query : `${url.search}&${query}`;
  return asked;
}

/** `query` as it was written, without the parameters that say which registry is meant: those are between a mirror and who asks it. */
export function withoutNs(query: string): string {
  if (query === "") return query;
  const isNs = (pair: string) => new URLSearchParams(pair).has("ns");
  return query
    .split("&")
    .filter((pair) => pair !== "" && !isNs(pair))
    .join("&");
}
