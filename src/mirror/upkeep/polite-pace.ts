/** Owns how fast stored bytes are read for nobody's request: slower while anybody reads, because a hard disk cannot do both well. */
import type { Pins } from "../space/pins.ts";

/** Bytes a second. */
const ALONE = 128 * 1024 * 1024;
/** While anybody is served, it is slower by this factor. */
const SERVING_SHARE = 4;
/** The blob that is being read is pinned by its reader. */
const OWN_PINS = 1;

/** For a run that reads one pinned blob at a time. */
export function politePace(pins: Pick<Pins, "count">): number {
  return pins.count > OWN_PINS ? ALONE / SERVING_SHARE : ALONE;
}
