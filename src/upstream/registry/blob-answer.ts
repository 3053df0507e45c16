/**
 * Owns the reading of an answer to a GET of a blob: which bytes it offers, of how many, and whether it is about that blob at all. Headers are
 * believed only where they agree with the question. Pure.
 */
import type { IncomingHttpHeaders } from "node:http";
import { type ByteRange, formatRange } from "../../bytes/byte-range.ts";
import { parseContentRange } from "../../bytes/http-range.ts";
import { GranaryError } from "../../errors.ts";
import { algorithmOf, type Digest, isDigest } from "../../oci/digest.ts";
import { parseContentLength } from "../network/headers.ts";

export type OfferedRange = {
  readonly range: ByteRange;
  /** Bytes of the whole blob. */
  readonly size: number | undefined;
  readonly rangeBlind: boolean;
};

/** `status` is 200 or 206. Throws `upstream-protocol`. `doing` opens the sentence of the error. */
export function readOfferedRange(
  status: number,
  headers: IncomingHttpHeaders,
  asked: ByteRange,
  doing: string,
): OfferedRange {
  if (status === 200) return wholeBlob(headers, asked, doing);
  const found = parseContentRange(headers["content-range"]);
  if (found?.range === undefined || found.range.start !== asked.start) {
    throw new GranaryError(
      "upstream-protocol",
      `${doing} was asked for ${formatRange(asked)} and answered with Content-Range "${headers["content-range"] ?? ""}".`,
      {
        expected: formatRange(asked),
        found: headers["content-range"] ?? "no Content-Range",
        reason: "the registry answered with another range than it was asked for",
      },
    );
  }
  const end = Math.min(found.range.end, asked.end);
  return { range: { start: asked.start, end }, size: found.size, rangeBlind: false };
}

/** F15: the whole came, though a part was asked for. Without a length, only the asked part is known to exist. */
function wholeBlob(headers: IncomingHttpHeaders, asked: ByteRange, doing: string): OfferedRange {
  const size = parseContentLength(headers["content-length"]);
  // Only one blob is empty, and no byte of it is ever asked for. So an empty answer tells nothing of this blob, not even its size.
  if (size === 0 && asked.end > asked.start) {
    throw new GranaryError(
      "upstream-protocol",
      `${doing} was asked for ${formatRange(asked)} and sent nothing.`,
      {
        expected: formatRange(asked),
        found: 0,
        reason: "the registry answered with an empty body",
      },
    );
  }
  return { range: { start: 0, end: size ?? asked.end }, size, rangeBlind: true };
}

/**
 * Throws `upstream-protocol` for an answer that is not about `digest`: it names another digest, or is a web page, such as the sign-in page
 * that some hosts send instead of a 401. So such an answer never proves that somebody may read the blob.
 */
export function checkIsBlob(headers: IncomingHttpHeaders, digest: Digest, doing: string): void {
  const named = String(headers["docker-content-digest"] ?? "").trim();
  if (named === digest) return;
  const isOther = isDigest(named) && algorithmOf(named) === algorithmOf(digest);
  const isPage = /^\s*text\/html\b/i.test(headers["content-type"] ?? "");
  if (!isOther && !isPage) return;
  const found = isOther ? named : "a page";
  const reason = isOther
    ? "the registry answered for another digest"
    : "the registry answered with a page for people";
  throw new GranaryError("upstream-protocol", `${doing} was answered with ${found}.`, {
    expected: digest,
    found,
    reason,
  });
}
