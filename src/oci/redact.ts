/**
 * Owns what a text may not carry into a log, an error or an answer: user information before a host (`user:password@host`), in a URL or not,
 * wherever a stranger wrote it. Pure.
 */

/** A digest follows its name with @ as well; that is no host. The sign may be escaped. */
const USER_INFO = /[^\s/"`<>]+(?:@|%40)(?!(?:sha256|sha512)(?::|%3a))/gi;

/** `text` with "***@" in the place of all user information. */
export function withoutUserInfo(text: string): string {
  return text.includes("@") || text.includes("%40") ? text.replace(USER_INFO, "***@") : text;
}
