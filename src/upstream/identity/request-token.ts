/**
 * Owns one request to a token server: `GET realm?service&scope`, with Basic where there is a password, or the OAuth2 POST where
 * there is an identity token. It caches nothing and decides no trust; no token and no password ever enters a message.
 */
import { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import {
  type Credentials,
  describeCredentials,
  type PasswordCredentials,
  secretsOf,
} from "../../oci/credentials.ts";
import { joinWords } from "../../oci/error-body.ts";
import { JSON_BOUNDS, parseJsonObject } from "../../oci/json-value.ts";
import { redactUrl } from "../../oci/redact.ts";
import { statusError } from "../network/answer-error.ts";
import { formatBasic } from "../network/headers.ts";
import { discardBody, readLimited } from "../network/read-body.ts";
import { isRedirect, isSameOrigin, MAX_REDIRECTS, nextHop, tooManyRedirects } from "../network/redirects.ts";
import { wordsOf } from "../network/refusal.ts";
import type { Incoming, Transport } from "../network/transport.ts";
import { postIdentityToken } from "./identity-token.ts";

export type TokenAsk = {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scope: string;
  readonly credentials: Credentials | undefined;
  /** Asks as somebody who has nothing of ours. */
  readonly isStranger: boolean;
};

export type Token = { readonly value: string; readonly lifetimeMs: number };

/** oras-go and go-containerregistry stop at 128 and 64 KB (docs/protocol.md#challenges-and-tokens). */
const MAX_TOKEN_BYTES = 128 * 1024;

/** The token specification's value for a missing `expires_in`. */
const DEFAULT_LIFETIME_MS = 60_000;

/**
 * Throws `unauthorized` when the server refuses (401, 403), `rate-limited`, `upstream-unavailable`, `upstream-protocol`.
 */
export async function requestToken(
  transport: Transport,
  ask: TokenAsk,
  signal: AbortSignal,
  clock: Clock,
): Promise<Token> {
  const incoming = await askServer(transport, ask, signal);
  const { status, url } = incoming;
  if (status === 200) return parseToken(await readLimited(incoming, MAX_TOKEN_BYTES, signal), url);
  const told = await wordsOf({ ...incoming, secrets: secretsOf(ask.credentials) }, clock);
  const words = joinWords(told);
  const why = words === undefined ? "" : `: ${words}`;
  if (status !== 401 && status !== 403) throw tokenError(statusError(incoming, clock.now(), { told }));
  const who = ask.credentials === undefined ? "an anonymous request" : describeCredentials(ask.credentials);
  const message = `The token server ${redactUrl(url)} refused ${who} (${status})${why}.`;
  throw new GranaryError("unauthorized", message, {
    upstreamStatus: status,
    reason: `the token server ${url.host} answered ${status}`,
  });
}

/** What a token server says is said of tokens: no 404 or 410 of its is a word on what the token was for. */
function tokenError(error: GranaryError): GranaryError {
  if (error.code === "rate-limited" || error.code === "upstream-unavailable") return error;
  const { told: _, ...facts } = error.facts;
  return new GranaryError("upstream-protocol", error.message, facts);
}

/** Token servers that know no OAuth2 answer 404 or 405 to a POST: they get the token as a password (token specification). */
async function askServer(transport: Transport, ask: TokenAsk, signal: AbortSignal): Promise<Incoming> {
  const { credentials } = ask;
  if (credentials === undefined || "password" in credentials) return get(transport, ask, credentials, signal);
  // A registry token is never bought anything with: who has one does not come here.
  if ("registryToken" in credentials) return get(transport, ask, undefined, signal);
  const { identityToken, username = "<token>" } = credentials;
  const incoming = await postIdentityToken(transport, { ...ask, identityToken }, signal);
  if (incoming.status !== 404 && incoming.status !== 405) return incoming;
  discardBody(incoming);
  return get(transport, ask, { username, password: identityToken }, signal);
}

function get(
  transport: Transport,
  ask: TokenAsk,
  login: PasswordCredentials | undefined,
  signal: AbortSignal,
): Promise<Incoming> {
  return follow(transport, tokenUrl(ask, login), login, ask.isStranger, signal);
}

function tokenUrl({ realm, service, scope }: TokenAsk, login: PasswordCredentials | undefined): URL {
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  url.searchParams.set("scope", scope);
  if (login !== undefined) url.searchParams.set("account", login.username);
  return url;
}

async function follow(
  transport: Transport,
  first: URL,
  login: PasswordCredentials | undefined,
  fromStranger: boolean,
  signal: AbortSignal,
): Promise<Incoming> {
  let url = first;
  let isStranger = fromStranger;
  let authorization = login && formatBasic(login);
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const headers = { accept: "application/json", ...(authorization !== undefined && { authorization }) };
    const incoming = await transport.send({
      kind: "token",
      method: "GET",
      url,
      headers,
      isStranger,
      signal,
    });
    if (!isRedirect(incoming)) return incoming;
    discardBody(incoming);
    const next = nextHop(incoming);
    if (!isSameOrigin(url, next)) {
      // And never again in this chain.
      authorization = undefined;
      isStranger = true;
    }
    url = next;
  }
  throw tooManyRedirects(first);
}

function parseToken(body: Buffer, url: URL): Token {
  // No JSON is no token.
  const fields = parseJsonObject(body, JSON_BOUNDS.token) ?? {};
  const value = fields.token ?? fields.access_token;
  if (typeof value !== "string" || value === "" || /[^\x21-\x7e]/.test(value)) {
    throw new GranaryError("upstream-protocol", `The token server ${redactUrl(url)} gave no token.`, {
      reason: `the token server ${url.host} gave no token`,
    });
  }
  const seconds = fields.expires_in;
  const lifetimeMs = typeof seconds === "number" && seconds > 0 ? seconds * 1000 : DEFAULT_LIFETIME_MS;
  return { value, lifetimeMs };
}
