/**
 * Owns the URLs of the distribution-spec's read side. Names and references come in parsed; nothing is decoded here. An
 * endpoint may end in `?ns=NAME` (see endpointOf): every URL below it then carries that.
 */

/** What the URLs of `ns` at `endpoint` (no trailing slash) are made from: a mirror of many registries is told which one. */
export function endpointOf(endpoint: string, ns: string | undefined): string {
  return ns === undefined ? endpoint : `${endpoint}?ns=${encodeURIComponent(ns)}`;
}

function urlOf(endpoint: string, path: string): URL {
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/$/, "")}/v2/${path}`;
  return url;
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

export function tagsUrl(
  endpoint: string,
  repository: string,
  { n, last }: { readonly n?: string; readonly last?: string },
): URL {
  const url = urlOf(endpoint, `${repository}/tags/list`);
  if (n !== undefined) url.searchParams.set("n", n);
  if (last !== undefined) url.searchParams.set("last", last);
  return url;
}
