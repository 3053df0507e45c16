/**
 * Owns the token of the admin face: whether what somebody shows is it, and the cookie that a browser gets for it. A cookie is signed with the
 * token and kept nowhere: it outlives a restart, ends with its time, and is worth nothing once the token is another. All comparisons take the
 * same time, whatever they find.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";

/** Nobody finds one this long by trying: other people's failures need not slow its owner down. */
const UNGUESSABLE_LENGTH = 32;

export class TokenCheck {
  readonly #token: string;

  constructor(token: string) {
    this.#token = token;
  }

  get isGuessable(): boolean {
    return this.#token.length < UNGUESSABLE_LENGTH;
  }

  isToken(text: string): boolean {
    return timingSafeEqual(hashOf(text), hashOf(this.#token));
  }

  /** The value of a cookie that is good until `until`, epoch ms. */
  cookieFor(until: number): string {
    return `${until}.${this.#signatureOf(until)}`;
  }

  isCookie(value: string, now: number): boolean {
    const [, digits = "", signature = ""] = /^(\d{1,16})\.([A-Za-z0-9_-]{43})$/.exec(value) ?? [];
    const until = Number(digits);
    const isRight = timingSafeEqual(hashOf(signature), hashOf(this.#signatureOf(until)));
    return isRight && digits !== "" && now < until;
  }

  #signatureOf(until: number): string {
    return createHmac("sha256", this.#token).update(`granary admin ${until}`).digest("base64url");
  }
}

/** Of one length, whatever the length of the text: a comparison then shows nothing of it. */
function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
