/**
 * Owns how a request that another site's page makes a browser send is told from one of our own page, of a program, or of a person who types
 * an address. Browsers send `Origin` with every request that changes something (Fetch Standard, 3.2) and `Sec-Fetch-Site` with all of them;
 * programs send neither. Pure.
 */

type Sender = { readonly method: string; header(name: string): string | undefined };

/** False for what a page of another origin asks for. */
export function isOwnPage({ method, header }: Sender): boolean {
  const origin = header("origin");
  if (origin !== undefined) return isSameOrigin(origin, header("host"));
  const site = header("sec-fetch-site");
  if (site === undefined || site === "same-origin" || site === "none") return true;
  // A link from anywhere may lead here: what it opens is then a page of its own.
  return (
    method === "GET" && header("sec-fetch-mode") === "navigate" && header("sec-fetch-dest") === "document"
  );
}

/** The scheme does not count: whoever puts https in front of this listener makes it differ. */
function isSameOrigin(origin: string, host: string | undefined): boolean {
  const url = URL.parse(origin);
  if (url === null || host === undefined || !/^https?:$/.test(url.protocol)) return false;
  return url.host === URL.parse(`${url.protocol}//${host}`)?.host;
}
