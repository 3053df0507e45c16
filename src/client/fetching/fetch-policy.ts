/**
 * Owns what the fetches of the client verbs go by: the numbers for one blob at a time, whole, for somebody who waits, and which
 * failures another try can go on from.
 */
import { type ErrorCode, isGranaryError } from "../../errors.ts";
import type { FillPolicy } from "../../fill/fill-policy.ts";
import { VERB_RETRIES } from "../../waiting/retry-numbers.ts";

const MIB = 2 ** 20;

export const FETCH_POLICY: FillPolicy = {
  // Where one connection is slow, several are not (docs/protocol.md#ollama-registry-blobs); more would only take the line from others.
  lanes: 6,
  smallBlob: 4 * MIB,
  firstSegment: MIB,
  largestSegment: 64 * MIB,
  lingerMs: 0,
  finish: true,
  starveMs: 5_000,
  ...VERB_RETRIES,
};

/** Failures of the line, of a peer, of a login, and a stop: what was fetched is right as far as it goes. */
const PASSING: readonly ErrorCode[] = [
  "aborted",
  "closed",
  "upstream-unavailable",
  "upstream-protocol",
  "upstream-refused",
  "rate-limited",
  "unauthorized",
  "denied",
];

/** True when what a failed fetch has brought is worth keeping, because another try can go on from it. */
export function isPassing(error: unknown): boolean {
  return isGranaryError(error, ...PASSING);
}
