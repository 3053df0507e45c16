/**
 * Owns the sentence about what a host did: whole for who asked, with the path, and without it for everybody else whom the failure
 * concerns. One text makes both, so that they cannot differ.
 */
import { type ErrorCode, type ErrorFacts, GranaryError } from "../errors.ts";
import { redactUrl } from "./redact-url.ts";

/** `what` follows the name of the host: "answered 502". It names nothing that was asked for, and has no full stop. */
export function answerError(
  code: ErrorCode,
  url: URL,
  what: string,
  { more = "", ...facts }: ErrorFacts & { readonly more?: string } = {},
): GranaryError {
  return new GranaryError(code, `${redactUrl(url)} ${what}.${more}`, {
    ...facts,
    reason: `${url.host} ${what}`,
    host: url.host,
  });
}
