/**
 * Owns the reading of a request's target, in its two forms, and the grammar of a host. The target is split as raw text: a URL object would
 * resolve dots and escapes before routing could refuse them. Pure.
 */

export type RequestTarget = {
  /** `host[:port]` of an absolute-form target (RFC 9112, 3.2.2), without user information. */
  readonly absoluteHost: string | undefined;
  readonly rawPath: string;
  /** Without the question mark. */
  readonly rawQuery: string;
};

/** undefined for what is neither a path nor an absolute http URL. */
export function splitRequestTarget(target: string): RequestTarget | undefined {
  if (target.startsWith("/")) return { absoluteHost: undefined, ...splitQuery(target) };
  const [, host = "", rest = ""] = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)(.*)$/s.exec(target) ?? [];
  if (host === "" || !isHost(host)) return undefined;
  return { absoluteHost: host, ...splitQuery(rest.startsWith("/") ? rest : `/${rest}`) };
}

/** True for `host[:port]` (RFC 9110, 7.2). An empty one is allowed where the target has no host of its own (RFC 9112, 3.2). */
export function isHost(host: string): boolean {
  const found = /^(?:[\w.~!$&'()*+,;=-]*|\[[\da-f:.]+\])(?::(\d*))?$/i.exec(host);
  return found !== null && Number(found[1] ?? 0) < 65_536;
}

function splitQuery(text: string): { rawPath: string; rawQuery: string } {
  const mark = text.indexOf("?");
  if (mark < 0) return { rawPath: text, rawQuery: "" };
  return { rawPath: text.slice(0, mark), rawQuery: text.slice(mark + 1) };
}
