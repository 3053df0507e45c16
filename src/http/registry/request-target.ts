/**
 * Owns the splitting of a request line's target into what routing looks at, from the raw text: no URL object, because
 * that one would resolve dots and escapes before routing could refuse them. It judges nothing.
 */

export type RequestTarget = {
  /** `host[:port]` of an absolute-form target (RFC 9112, 3.2.2), without user information. */
  readonly absoluteHost: string | undefined;
  readonly rawPath: string;
  /** Without the question mark. */
  readonly rawQuery: string;
};

export function splitRequestTarget(target: string): RequestTarget {
  if (target.startsWith("/")) return { absoluteHost: undefined, ...splitQuery(target) };
  const [, host, rest = ""] = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)(.*)$/is.exec(target) ?? [];
  if (host === undefined) return { absoluteHost: undefined, ...splitQuery(target) };
  return { absoluteHost: host, ...splitQuery(rest.startsWith("/") ? rest : `/${rest}`) };
}

function splitQuery(text: string): { rawPath: string; rawQuery: string } {
  const mark = text.indexOf("?");
  if (mark < 0) return { rawPath: text, rawQuery: "" };
  return { rawPath: text.slice(0, mark), rawQuery: text.slice(mark + 1) };
}
