/**
 * Owns the sentence about what a host did: whole for who asked, with the path, and without it for everybody else whom the failure
 * concerns. One text makes both, so that they cannot differ.
 */
import { type ErrorCode, type ErrorFacts, GranaryError } from "../../errors.ts";
import { joinWords } from "../../oci/error-body.ts";
import { redactUrl } from "../../oci/redact.ts";

/**
 * `what` follows the name of the host: "answered 502". It names nothing that was asked for, and has no full stop. What was told is for who
 * asked: it may name anything.
 */
export function answerError(
  code: ErrorCode,
  url: URL,
  what: string,
  { more = "", ...facts }: ErrorFacts & { readonly more?: string } = {},
): GranaryError {
  const { told = [], ...others } = facts;
  const words = joinWords(told);
  return new GranaryError(
    code,
    `${redactUrl(url)} ${what}${words === undefined ? "" : `: ${words}`}.${more}`,
    {
      ...others,
      ...(told.length > 0 && { told }),
      reason: `${url.host} ${what}`,
      host: url.host,
    },
  );
}
