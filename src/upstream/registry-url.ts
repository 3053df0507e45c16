/** Owns the paths of the distribution-spec's read side. Names and references come in parsed; nothing is decoded here. */

const base = (endpoint: string, repository: string) => `${endpoint}/v2/${repository}`;

export function manifestUrl(endpoint: string, repository: string, reference: string): URL {
  return new URL(`${base(endpoint, repository)}/manifests/${reference}`);
}

export function blobUrl(endpoint: string, repository: string, digest: string): URL {
  return new URL(`${base(endpoint, repository)}/blobs/${digest}`);
}

export function referrersUrl(endpoint: string, repository: string, digest: string): URL {
  return new URL(`${base(endpoint, repository)}/referrers/${digest}`);
}

export function tagsUrl(
  endpoint: string,
  repository: string,
  { n, last }: { readonly n?: string; readonly last?: string },
): URL {
  const url = new URL(`${base(endpoint, repository)}/tags/list`);
  if (n !== undefined) url.searchParams.set("n", n);
  if (last !== undefined) url.searchParams.set("last", last);
  return url;
}
