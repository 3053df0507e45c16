/**
 * Owns the reading of `multipart/byteranges` as clients do it: to the letter of RFC 2046, so that a boundary too many or a line too few
 * is seen. What stands in a part is given back as it came.
 */
import type { WireAnswer } from "./wire.ts";

export type ReadPart = {
  readonly contentType: string;
  readonly contentRange: string;
  readonly bytes: Buffer;
};

/** Throws what is wrong with the body. */
export function readParts({ headers, body }: Pick<WireAnswer, "headers" | "body">): ReadPart[] {
  const [, boundary] =
    /^multipart\/byteranges; boundary=([0-9a-z]{1,70})$/.exec(headers["content-type"] ?? "") ?? [];
  if (boundary === undefined) throw new Error(`no parts: ${headers["content-type"]}`);
  const parts: ReadPart[] = [];
  let at = 0;
  for (;;) {
    const mark = `${parts.length === 0 ? "" : "\r\n"}--${boundary}`;
    at = skip(body, at, mark);
    if (body.subarray(at, at + 2).toString() === "--") break;
    const end = body.indexOf("\r\n\r\n", at);
    const head = body.subarray(at, end).toString();
    const [, contentType = "", contentRange = ""] =
      /^\r\nContent-Type: (.+)\r\nContent-Range: (bytes \d+-\d+\/\d+)$/.exec(head) ?? [];
    const [, first, last] = /(\d+)-(\d+)/.exec(contentRange) ?? [];
    if (first === undefined) throw new Error(`a part with the head ${JSON.stringify(head)}`);
    const length = Number(last) - Number(first) + 1;
    parts.push({ contentType, contentRange, bytes: body.subarray(end + 4, end + 4 + length) });
    at = end + 4 + length;
  }
  if (skip(body, at, "--\r\n") !== body.length) throw new Error("something follows the last part");
  return parts;
}

function skip(body: Buffer, at: number, text: string): number {
  const found = body.subarray(at, at + text.length).toString("latin1");
  if (found !== text)
    throw new Error(`${JSON.stringify(text)} expected at ${at}, found ${JSON.stringify(found)}`);
  return at + text.length;
}
