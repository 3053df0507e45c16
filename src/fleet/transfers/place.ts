/** Owns where the bytes of one blob are in a fleet, as one node sees it at this moment. Values only. */
import type { Holder, Lease, StoredObject } from "../fleet.ts";
import type { Sources } from "./sources.ts";

export type Place =
  /** The bucket has it, verified. */
  | { readonly is: "bucket"; readonly object: StoredObject }
  /** Another node brings it. */
  | { readonly is: "peer"; readonly holder: Holder }
  /** This node brings it, for all. `sources` is what need not come from upstream; looked for once, while others can read from here already. */
  | { readonly is: "mine"; readonly lease: Lease; readonly sources: Promise<Sources> | undefined }
  /**
   * The fleet cannot be asked, its holder is out of reach, or nothing of it can be kept here for others to read: this node asks upstream for itself,
   * until `until` (of the clock's `elapsed`), when it looks again.
   */
  | { readonly is: "alone"; readonly until: number; readonly why: "database" | "holder" | "no-room" };
