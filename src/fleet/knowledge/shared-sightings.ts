/** Owns since when a fleet has seen a digest at its tag: the fleet's database has it, and this node's while that does not answer. */
import { isGranaryError } from "../../errors.ts";
import type { SightingRows } from "../../metadata/sighting-rows.ts";

export function sharedSightings(local: SightingRows, shared: SightingRows): SightingRows {
  const first = async <T>(asked: (rows: SightingRows) => Promise<T>): Promise<T> => {
    try {
      return await asked(shared);
    } catch (error) {
      if (isGranaryError(error, "fleet-unavailable")) return await asked(local);
      throw error;
    }
  };
  return {
    record: async (sighting) => {
      await local.record(sighting);
      await first(async (rows) => (rows === local ? undefined : await rows.record(sighting)));
    },
    find: (key) => first((rows) => rows.find(key)),
    ofDigest: (where, digest) => first((rows) => rows.ofDigest(where, digest)),
    ofTag: (where, tag) => first((rows) => rows.ofTag(where, tag)),
    held: (limit) => first((rows) => rows.held(limit)),
    heldOver: (limit) => first((rows) => rows.heldOver(limit)),
  };
}
