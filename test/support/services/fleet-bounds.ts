/** Owns the numbers that a fleet has promised, as the tests of its failures count them. Pure. */
import { partSizeOf } from "../../../src/fleet/object-key.ts";

const MIB = 2 ** 20;

/** How long a heartbeat lives. */
const LIFETIME_MS = 4_000;
/** G12: a survivor's reader gets a byte within so long. */
export const LONGEST_GAP_MS = LIFETIME_MS + 5_000;

/** Parts that one node has on their way to the bucket at one moment. */
const UPLOADERS = 4;
/** What upstream has sent on one connection and a node has not read: the buffers of two sockets, and what the line holds. */
const IN_FLIGHT = 2 * MIB;

/**
 * What upstream may have sent of a blob of `size` bytes. G3: without a loss, the blob itself; a lane that stands in the way of a reader on a machine
 * that is late may be cut, and loses what is under way on its connection. G4: with every loss, a part of each lane and each uploader.
 */
export function mostSent(size: number, lanes: number, losses: number): number {
  return 1.05 * size + losses * ((lanes + UPLOADERS) * partSizeOf(size) + lanes * IN_FLIGHT);
}
