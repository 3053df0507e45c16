/**
 * Owns how the fake serves bytes of a blob: whole, one range (206), or an unsatisfiable one (416), with If-Range.
 * Several ranges at once are answered whole, as RFC 9110 allows.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { BlobContent } from "./contents.ts";
import { type Reply, textReply } from "./send-reply.ts";

export function rangedReply(
  content: BlobContent,
  requested: IncomingHttpHeaders,
  headers: Record<string, string>,
): Reply {
  const { size } = content;
  const common = { "accept-ranges": "bytes", "content-type": "application/octet-stream", ...headers };
  const range = validatorHolds(requested, common) ? rangeOf(requested.range, size) : undefined;
  if (range === "unsatisfiable") {
    return textReply(416, "", { "content-range": `bytes */${size}` });
  }
  if (range === undefined) {
    return {
      status: 200,
      headers: { ...common, "content-length": String(size) },
      body: { content, start: 0, end: size },
    };
  }
  return {
    status: 206,
    headers: {
      ...common,
      "content-length": String(range.end - range.start),
      "content-range": `bytes ${range.start}-${range.end - 1}/${size}`,
    },
    body: { content, ...range },
  };
}

function validatorHolds(requested: IncomingHttpHeaders, headers: Record<string, string>): boolean {
  const wanted = requested["if-range"];
  return wanted === undefined || wanted === headers.etag;
}

function rangeOf(header: string | undefined, size: number) {
  const [, from, to] = /^bytes=(\d*)-(\d*)$/.exec(header ?? "") ?? [];
  if (from === undefined || to === undefined || from + to === "") return undefined;
  if (from === "") return size === 0 ? "unsatisfiable" : { start: Math.max(0, size - Number(to)), end: size };
  const start = Number(from);
  if (start >= size) return "unsatisfiable";
  return { start, end: to === "" ? size : Math.min(size, Number(to) + 1) };
}
