/**
 * Owns the rules of redirects (docs/protocol.md#redirects): how many, which schemes, what counts as another origin.
 * Pure; addresses are checked by the transport on each hop.
 */
import type { GranaryError } from "../../errors.ts";
import { answerError } from "./answer-error.ts";
import type { Incoming } from "./transport.ts";

/** As many as Go's client follows, and so Docker, containerd and Podman. */
export const MAX_REDIRECTS = 10;

const STATUSES = new Set([301, 302, 303, 307, 308]);

export function isRedirect({ status }: Pick<Incoming, "status">): boolean {
  return STATUSES.has(status);
}

/** Credentials and cookies stay inside one origin: scheme, host and port. */
export function isSameOrigin(a: URL, b: URL): boolean {
  return a.origin === b.origin;
}

/** Where a redirect leads. Throws `upstream-protocol` for a missing or broken Location, `denied` for a downgrade. */
export function nextHop({ url, status, headers }: Pick<Incoming, "url" | "status" | "headers">): URL {
  const location = headers.location;
  const next = location === undefined ? null : URL.parse(asText(location), url.href);
  if (next === null) {
    const what = location === undefined ? "no Location" : "a Location that is no URL";
    throw answerError("upstream-protocol", url, `answered ${status} with ${what}`);
  }
  if (next.protocol !== "https:" && (url.protocol === "https:" || next.protocol !== "http:")) {
    const what = `redirects to ${next.protocol}//${next.host}: going from https to anything else is refused`;
    throw answerError("denied", url, what, { found: next.protocol });
  }
  return next;
}

/** Node gives headers as Latin-1. A Location with other characters is UTF-8 in practice (WHATWG Fetch, "location URL"). */
function asText(location: string): string {
  const text = Buffer.from(location, "latin1").toString("utf8");
  return text.includes("\ufffd") ? location : text;
}

export function tooManyRedirects(first: URL): GranaryError {
  const what = `leads through more than ${MAX_REDIRECTS} redirects`;
  return answerError("upstream-protocol", first, what, { expected: MAX_REDIRECTS });
}
