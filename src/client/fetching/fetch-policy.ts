/** Owns the numbers that the fetches of the client verbs go by: one blob at a time, whole, for somebody who waits. */
import type { FillPolicy } from "../../fill/fill-policy.ts";

const MIB = 2 ** 20;

export const FETCH_POLICY: FillPolicy = {
  // Where one connection is slow, several are not (docs/protocol.md#ollama-registry-blobs); more would only crowd out the neighbours on the line.
  lanes: 6,
  smallBlob: 4 * MIB,
  firstSegment: MIB,
  largestSegment: 64 * MIB,
  attempts: 6,
  outageMs: 120_000,
  // Somebody sits there, and is to hear soon of a wrong name and of a registry that is not there.
  beginMs: 10_000,
  refusals: 1,
  lingerMs: 0,
  finish: true,
  starveMs: 5_000,
  // Nobody hangs up on us here, and a limit that is over in a minute is no reason to fail a fetch of hours.
  patienceMs: 60_000,
};
