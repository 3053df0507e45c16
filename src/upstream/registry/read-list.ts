/**
 * Owns the reading of a list from an upstream's answer: the bytes as they come, with a check on the way that they are such a list, and no more
 * of them in memory than there is room for. An HTML page must never be kept as a list.
 */
import { isGranaryError } from "../../errors.ts";
import { type FoundList, JsonListReader, type NoList } from "../../oci/json-list.ts";
import { answerError } from "../network/answer-error.ts";
import { type BodyRoom, SMALL_BODY } from "../network/body-room.ts";
import { refuseEncoded, tooLong } from "../network/read-body.ts";
import type { Incoming } from "../network/transport.ts";
import { transportError } from "../network/transport-error.ts";

/** 300,000 tags have 15 MiB. No list of referrers half as large has been seen. */
export const MOST_LIST_BYTES = 32 * 2 ** 20;
export const MOST_LIST_ITEMS = 1_000_000;
const MOST_DEPTH = 64;

export type ReadList = {
  /** Without a byte order mark; the places in `found` are places in it. */
  readonly body: Buffer;
  readonly found: FoundList;
  /** To be called when `body` is not needed any more. */
  readonly release: () => void;
};

/** The name of the list in the document, and of another member whose place is wanted. */
export type ListKind = { readonly list: string; readonly beside?: string };

/** Throws `upstream-protocol` when it is longer than `limit` bytes or encoded, `upstream-unavailable`, and `aborted` for want of room. */
export async function readList(
  incoming: Incoming,
  { list, beside }: ListKind,
  limit: number,
  room: BodyRoom,
  signal: AbortSignal,
): Promise<ReadList | NoList> {
  refuseEncoded(incoming);
  const { url, headers, body } = incoming;
  const announced = Number(headers["content-length"] ?? limit);
  if (announced > limit) throw tooLong(incoming, limit);
  const bounds = { depth: MOST_DEPTH, items: MOST_LIST_ITEMS };
  const reader = new JsonListReader({ list, bounds, ...(beside !== undefined && { beside }) });
  const chunks: Buffer[] = [];
  let length = 0;
  let leave = () => {};
  let isReserved = false;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length > limit) throw tooLong(incoming, limit);
      if (!reader.push(chunk)) {
        body.on("error", () => {}).destroy();
        break;
      }
      chunks.push(chunk);
      if (length <= SMALL_BODY || isReserved) continue;
      isReserved = true;
      leave = await room.reserve(announced);
    }
    return loaded(chunks, reader.end(), room);
  } catch (error) {
    throw isGranaryError(error) ? error : transportError(error, "GET", url, signal);
  } finally {
    leave();
  }
}

function loaded(chunks: Buffer[], found: FoundList | NoList, room: BodyRoom): ReadList | NoList {
  if ("fault" in found) return found;
  const { start } = found;
  const body = Buffer.concat(chunks).subarray(start);
  const moved = (span: FoundList["inside"]) => span && { start: span.start - start, end: span.end - start };
  return {
    body,
    found: { ...found, start: 0, inside: moved(found.inside), beside: moved(found.beside) },
    release: room.occupy(body),
  };
}

/** The error for a 200 that is not a list. */
export function noList({ url }: Incoming, what: string, { fault }: NoList): Error {
  return answerError("upstream-protocol", url, `answered with something that is no ${what}: it ${fault}`);
}
