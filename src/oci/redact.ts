/**
 * Owns what a URL, or any text that a stranger wrote, must lose before it enters a log, an error or an answer: signatures and logins. Pure.
 */

/** `url` without its query (which may be a signature), user information and fragment. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** `user:password@` before a host, in a URL or not. An @ before a digest separates it from a name. The @ may be escaped. */
const USER_INFO = /[^\s/"`<>]+(?:@|%40)(?!(?:sha256|sha512)(?::|%3a))/gi;

/** `text` with "***@" in place of all user information. */
export function withoutUserInfo(text: string): string {
  return text.includes("@") || text.includes("%40") ? text.replace(USER_INFO, "***@") : text;
}
