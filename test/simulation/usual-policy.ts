/** Owns the numbers that upstreams get by default, as far as lanes go by them, for tests in simulated time. */
import type { FillPolicy } from "../../src/fill/fill-policy.ts";

const MIB = 1024 * 1024;

export const USUAL_POLICY: Partial<FillPolicy> = {
  lanes: 6,
  smallBlob: 4 * MIB,
  firstSegment: MIB,
  largestSegment: 64 * MIB,
  starveMs: 5_000,
};
