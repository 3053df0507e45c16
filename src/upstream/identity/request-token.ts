/**
 * Owns one request to a token server: `GET realm?service&scope`, with Basic where there is a password, or the OAuth2 POST where there is an
 * identity token; and what the token says of itself. It keeps nothing and does not decide which servers are trusted. No token and no
 * password ever enters a message.
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
import { asObject, JSON_BOUNDS, type JsonObject, parseJsonObject } from "../../oci/json-value.ts";
import { redactUrl } from "../../oci/redact.ts";
import { statusError } from "../network/answer-error.ts";
import { formatBasic } from "../network/headers.ts";
import { discardBody, readLimited } from "../network/read-body.ts";
import { isRedirect, isSameOrigin, MAX_REDIRECTS, nextHop, tooManyRedirects } from "../network/redirects.ts";
import { wordsOf } from "../network/refusal.ts";
import type { Incoming, Transport } from "../network/transport.ts";

export type TokenAsk = {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scope: string;
  readonly credentials: Credentials | undefined;
  /** Asked without our client certificate. */
  readonly isStranger: boolean;
};

type Token = { readonly value: string; readonly lifetimeMs: number };

/** oras-go and go-containerregistry stop at 128 and 64 KB (docs/protocol.md#challenges-and-tokens). */
const MAX_TOKEN_BYTES = 128 * 1024;

/** The token specification's value for a missing `expires_in`. */
const DEFAULT_LIFETIME_MS = 60_000;

const CLIENT_ID = "granary";

/** Redirects that keep the method and the body. */
const KEEPING = [307, 308];

/**
 * A token. Throws `unauthorized` when the server refuses (401, 403), `rate-limited`, `upstream-unavailable`, `upstream-protocol`.
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

/** A 404 or 410 of a token server is about the token, and must not be taken for an answer about the content. */
function tokenError(error: GranaryError): GranaryError {
  if (error.code === "rate-limited" || error.code === "upstream-unavailable") return error;
  const { told: _, ...facts } = error.facts;
  return new GranaryError("upstream-protocol", error.message, facts);
}

/** Token servers without OAuth2 answer 404 or 405 to a POST: they get the identity token as a password (token specification). */
async function askServer(transport: Transport, ask: TokenAsk, signal: AbortSignal): Promise<Incoming> {
  const { credentials } = ask;
  if (credentials === undefined || "password" in credentials) return get(transport, ask, credentials, signal);
  // A registry token is used as it is, so this is not reached with one.
  if ("registryToken" in credentials) return get(transport, ask, undefined, signal);
  const { identityToken, username = "<token>" } = credentials;
  const incoming = await postIdentityToken(transport, ask, identityToken, signal);
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
      // Nor later in this chain, should it come back.
      authorization = undefined;
      isStranger = true;
    }
    url = next;
  }
  throw tooManyRedirects(first);
}

/**
 * The OAuth2 request of the token specification, with the identity token (a refresh token) in the body. The body goes to the one host that
 * it is meant for: throws `denied` for a redirect to another. Any status is an answer; a server without OAuth2 answers 404 or 405.
 */
async function postIdentityToken(
  transport: Transport,
  ask: TokenAsk,
  identityToken: string,
  signal: AbortSignal,
): Promise<Incoming> {
  let url = ask.realm;
  const headers = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const body = formOf(ask, identityToken);
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

function formOf({ service, scope }: TokenAsk, identityToken: string): string {
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

function parseToken(body: Buffer, url: URL): Token {
  // A body that is not JSON has no token in it.
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

/**
 * Whether `token` allows pulls from `repository`, by its `access` claim (distribution/distribution docs/content/spec/auth/jwt.md); undefined
 * when it does not say: it is no JWT, or has no such claim. Its signature is for the registry to check; the token came from the server that
 * we asked.
 */
export function opensPull(token: string, repository: string): boolean | undefined {
  const access = claimsOf(token)?.access;
  if (!Array.isArray(access)) return undefined;
  return access.map(asObject).some((entry) => entry !== undefined && isPullOf(entry, repository));
}

function claimsOf(token: string): JsonObject | undefined {
  const [, payload, signature] = token.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  return parseJsonObject(Buffer.from(payload, "base64url"), JSON_BOUNDS.token);
}

function isPullOf({ type, name, actions }: JsonObject, repository: string): boolean {
  if (type !== "repository" || name !== repository || !Array.isArray(actions)) return false;
  return actions.includes("pull") || actions.includes("*");
}
