/** Owns how a URL may appear in a message or a log: no query (signatures), no user info, no fragment. */

export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}
