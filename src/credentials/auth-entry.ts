/**
 * Owns what one entry of `auths` says (docker and podman write the same form). Pure; its errors name the rule, never what is
 * in the entry.
 */
import { GranaryError } from "../errors.ts";
import type { Credentials } from "../oci/credentials.ts";
import { type JsonObject, textOf } from "../oci/json-value.ts";

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

/**
 * The credentials of `entry`; undefined when it holds none (`{}` stands where a helper keeps them). `rule` names the entry in
 * messages. Throws `config-invalid`.
 */
export function parseAuthEntry(entry: JsonObject, rule: string): Credentials | undefined {
  const login = parseLogin(entry, rule);
  const username = login === undefined || login.username === "" ? {} : { username: login.username };
  const registryToken = textOf(entry.registrytoken);
  if (registryToken !== undefined) return { registryToken: headerText(registryToken, rule), rule };
  const identityToken = textOf(entry.identitytoken);
  if (identityToken !== undefined) return { identityToken, ...username, rule };
  return login === undefined || login.password === "" ? undefined : { ...login, rule };
}

function parseLogin(entry: JsonObject, rule: string) {
  const auth = textOf(entry.auth);
  if (auth !== undefined) return parseAuth(auth, rule);
  const username = textOf(entry.username);
  return username === undefined ? undefined : { username, password: textOf(entry.password) ?? "" };
}

function parseAuth(auth: string, rule: string) {
  const text = BASE64.test(auth) ? Buffer.from(auth, "base64").toString("utf8") : "";
  const colon = text.indexOf(":");
  if (colon < 0) throw broken(rule, '"auth" is not the base64 of user:password');
  // Docker has written passwords with NUL bytes behind them (docker/cli cli/config/configfile).
  return { username: text.slice(0, colon), password: text.slice(colon + 1).replace(/\0+$/, "") };
}

function headerText(token: string, rule: string): string {
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw broken(rule, '"registrytoken" holds characters that no token has');
}

function broken(rule: string, reason: string): GranaryError {
  return new GranaryError(
    "config-invalid",
    `The login in ${rule} cannot be used: ${reason}. Log in again, or remove it.`,
  );
}
