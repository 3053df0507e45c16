/**
 * Owns which proxy a request goes through, from HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY. A mistake there is one error that
 * names the variable and says what to write; no value is ever quoted, because a proxy's URL may hold a password.
 */
import type { Environment } from "../../environment.ts";
import { GranaryError } from "../../errors.ts";
import { type NoProxy, parseNoProxy } from "./no-proxy.ts";

export type HttpProxy = {
  /** With its login, if it has one: for the connection, never for a message. */
  readonly url: URL;
  /** "http://proxy.lab:3128 (HTTPS_PROXY)", for messages. */
  readonly shown: string;
};

export type Proxies = {
  readonly http: HttpProxy | undefined;
  readonly https: HttpProxy | undefined;
  /** undefined where `url` is reached directly. */
  proxyOf(url: URL): HttpProxy | undefined;
};

type Variable = { readonly name: string; readonly text: string };

const EXAMPLE =
  "http://proxy.example:3128, or http://NAME:PASSWORD@proxy.example:3128 where it wants a login";

/** Throws `config-invalid` for a variable that would be used and cannot be. */
export function readProxies(env: Environment): Proxies {
  const all = variable(env, "all_proxy");
  // If only HTTP_PROXY is set, it is used for https as well.
  const http = proxyFrom(variable(env, "http_proxy") ?? all);
  const https = proxyFrom(variable(env, "https_proxy") ?? all ?? variable(env, "http_proxy"));
  if (http === undefined && https === undefined) return { http, https, proxyOf: () => undefined };
  const isDirect = noProxyFrom(variable(env, "no_proxy"));
  return {
    http,
    https,
    proxyOf: (url) =>
      isDirect(url.hostname, portOf(url)) ? undefined : url.protocol === "https:" ? https : http,
  };
}

/** The lower-case name comes first, as in curl, even with an empty value, which means "no proxy". */
function variable(env: Environment, lowerCase: string): Variable | undefined {
  for (const name of [lowerCase, lowerCase.toUpperCase()]) {
    const text = env[name];
    if (text !== undefined) return { name, text: text.trim() };
  }
  return undefined;
}

function proxyFrom(from: Variable | undefined): HttpProxy | undefined {
  if (from === undefined || from.text === "") return undefined;
  const { name, text } = from;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
  if (scheme !== undefined && scheme !== "http" && scheme !== "https") {
    throw invalid(
      name,
      `${scheme}:// proxies are not supported: write the address of an HTTP proxy, such as ${EXAMPLE}`,
    );
  }
  const url = URL.parse(scheme === undefined ? `http://${text}` : text);
  // The URL parser accepts quotes and other characters in a host that no host name has.
  if (url === null || !/^(?:[\w.-]+|\[[0-9a-f:.]+\])$/i.test(url.hostname)) {
    throw invalid(name, `it is not the address of a proxy: write ${EXAMPLE}, without quotes`);
  }
  checkLogin(name, url);
  return { url, shown: `${url.protocol}//${url.host} (${name})` };
}

function checkLogin(name: string, { username, password, pathname, search, hash }: URL): void {
  // A "/", "?" or "#" in a password would end the host there, and a part of the password would be looked up as a name.
  const isCut = `${pathname}${search}${hash}`.includes("@");
  if (!isCut && isDecodable(username) && isDecodable(password)) return;
  throw invalid(
    name,
    "its login has a character that means something else in a URL: write % as %25, / as %2F, ? as %3F, # as %23, @ as %40 and : as %3A",
  );
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false; // A % without two hexadecimal digits.
  }
}

function noProxyFrom(from: Variable | undefined): NoProxy {
  if (from === undefined) return () => false;
  return parseNoProxy(from.text, (sentence) => {
    throw invalid(from.name, sentence);
  });
}

function portOf({ port, protocol }: URL): number {
  if (port !== "") return Number(port);
  return protocol === "https:" ? 443 : 80;
}

function invalid(name: string, sentence: string): GranaryError {
  return new GranaryError("config-invalid", `The environment variable ${name}: ${sentence}.`);
}
