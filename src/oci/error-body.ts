/**
 * Owns the error body that registry clients parse (distribution-spec, "Error Codes"): one JSON form for every failure.
 * Pure; which failure becomes which code is http/error-answer.ts's.
 */

/** Codes of the specification, and the two of the Docker registry that clients know for 5xx answers. */
export type OciErrorCode =
  | "BLOB_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNAVAILABLE"
  | "UNKNOWN"
  | "UNSUPPORTED";

/** JSON text `{"errors":[{"code","message"}]}`. */
export function formatErrorBody(code: OciErrorCode, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}

/** The same for several, whose codes may be a registry's own. */
export function formatErrorBodies(
  errors: readonly { readonly code: string; readonly message: string }[],
): string {
  return JSON.stringify({ errors: errors.map(({ code, message }) => ({ code, message })) });
}
