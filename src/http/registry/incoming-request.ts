/**
 * Owns what is read of a request before it is routed: its target in the two forms that there are, split as raw text (a URL object would
 * resolve dots and escapes before routing could refuse them); what HTTP itself refuses; and the body that some requests bring.
 */
import type { IncomingMessage } from "node:http";
import type { OciErrorCode } from "../../oci/error-body.ts";

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
function isHost(host: string): boolean {
  const found = /^(?:[\w.~!$&'()*+,;=-]*|\[[\da-f:.]+\])(?::(\d*))?$/i.exec(host);
  return found !== null && Number(found[1] ?? 0) < 65_536;
}

function splitQuery(text: string): { rawPath: string; rawQuery: string } {
  const mark = text.indexOf("?");
  if (mark < 0) return { rawPath: text, rawQuery: "" };
  return { rawPath: text.slice(0, mark), rawQuery: text.slice(mark + 1) };
}

/** Why a request is refused as it stands. */
export type Fault = readonly [status: number, code: OciErrorCode, message: string];

export const NO_TARGET: Fault = [400, "NAME_INVALID", "the request names neither a path nor an http URL"];

/** What HTTP itself forbids or leaves to us (RFC 9112, 3.2; RFC 9110, 10.1.1). */
export function faultOf({ httpVersion, headers }: IncomingMessage): Fault | undefined {
  const { host, expect = "100-continue" } = headers;
  if (host !== undefined && !isHost(host))
    return [400, "NAME_INVALID", "the Host of the request is not a host"];
  if (httpVersion !== "1.1") return undefined;
  if (host === undefined) return [400, "UNSUPPORTED", "the request has no Host"];
  if (expect.toLowerCase() === "100-continue") return undefined;
  return [417, "UNSUPPORTED", "only 100-continue can be expected"];
}

/** A larger body is not read to its end: its connection is closed. */
const CAP_BYTES = 16 * 2 ** 20;

/**
 * Takes a body off the connection unread, so that the next request can be read (docs/protocol.md#request-bodies, docs/protocol.md#writes).
 * False when it is larger than the cap, and the connection must close.
 */
export async function drainBody(incoming: IncomingMessage): Promise<boolean> {
  let taken = 0;
  return await new Promise<boolean>((resolve) => {
    incoming.on("data", (chunk: Buffer) => {
      taken += chunk.byteLength;
      if (taken <= CAP_BYTES) return;
      incoming.pause();
      resolve(false);
    });
    incoming.once("end", () => resolve(true));
    incoming.once("close", () => resolve(false));
    incoming.once("error", () => resolve(false));
  });
}

/** Most requests have no body; this check is cheaper than an `await`. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || (headers["content-length"] ?? "0") !== "0";
}
