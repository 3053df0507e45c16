/**
 * Owns the OAuth2 request of the token specification: an identity token (a refresh token) in the body of a POST. That body goes
 * to the one host it is meant for; no redirect takes it to another.
 */
import { GranaryError } from "../../errors.ts";
import { redactUrl } from "../../oci/redact.ts";
import { discardBody } from "../network/read-body.ts";
import { isRedirect, isSameOrigin, MAX_REDIRECTS, nextHop, tooManyRedirects } from "../network/redirects.ts";
import type { Incoming, Transport } from "../network/transport.ts";

export type IdentityTokenAsk = {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scope: string;
  readonly identityToken: string;
};

const CLIENT_ID = "granary";

/** Redirects that keep the method and the body. */
const KEEPING = [307, 308];

/** Any status is an answer; a token server without OAuth2 says 404 or 405. Throws `denied` for a redirect to another host. */
export async function postIdentityToken(
  transport: Transport,
  ask: IdentityTokenAsk,
  signal: AbortSignal,
): Promise<Incoming> {
  let url = ask.realm;
  const headers = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const body = formOf(ask);
    const incoming = await transport.send({
      kind: "token",
      method: "POST",
      url,
      headers,
      isStranger: false,
      body,
      signal,
    });
    if (!isRedirect(incoming)) return incoming;
    discardBody(incoming);
    const next = nextHop(incoming);
    if (!isSameOrigin(url, next) || !KEEPING.includes(incoming.status)) throw redirected(url, next);
    url = next;
  }
  throw tooManyRedirects(ask.realm);
}

function formOf({ service, scope, identityToken }: IdentityTokenAsk): string {
  const form = new URLSearchParams({ grant_type: "refresh_token", client_id: CLIENT_ID, scope });
  if (service !== undefined) form.set("service", service);
  form.set("refresh_token", identityToken);
  return form.toString();
}

function redirected(url: URL, next: URL): GranaryError {
  return new GranaryError(
    "denied",
    `The token server ${redactUrl(url)} redirects a login to ${next.protocol}//${next.host}: the identity token was not sent there.`,
    { found: next.host, reason: `the token server ${url.host} redirects a login to ${next.host}` },
  );
}
