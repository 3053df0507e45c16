/**
 * Owns the BucketRows port: what the fleet's database knows of the objects of the bucket, for whoever tidies that. All times are the database's;
 * every method throws `fleet-unavailable` when it does not answer.
 */
import type { Digest } from "../../oci/digest.ts";
import type { StoredObject } from "../fleet.ts";

export interface BucketRows {
  /** Bytes of all objects that are not doomed. */
  bytes(): Promise<number>;
  /** Those that were not used for longest, first; without the doomed ones. At most `limit`. */
  coldest(limit: number): Promise<readonly StoredObject[]>;
  /** Marks them as to be deleted, from now on; those that are marked already keep their time. */
  doom(objects: readonly StoredObject[]): Promise<void>;
  /** The same for what no repository has a link to any more. */
  doomUnneeded(digests: readonly Digest[]): Promise<void>;
  /** Which of these have no row. */
  missing(digests: readonly Digest[]): Promise<readonly Digest[]>;
  /** Of this very database: one that was made anew has another, and one that was brought back from a copy has that of the copy. */
  identity(): Promise<string>;
  /** They were used at some node just now: written at most once in some minutes for each, and what is doomed of them is not any more. */
  touch(digests: readonly Digest[]): Promise<void>;
  /** They are used now: what is doomed of them is not any more. */
  revive(digests: readonly Digest[]): Promise<void>;
  /** Deletes the rows of objects that have been doomed for `graceMs`, in one statement with the look at it, and gives them. At most `limit`. */
  takeDoomed(graceMs: number, limit: number): Promise<readonly StoredObject[]>;
  /** Which of these keys must stay: those of rows, and those that a lease whose holder lives has noted for its upload. */
  known(keys: readonly string[]): Promise<ReadonlySet<string>>;
  /** Makes rows of objects, as if they had been used just now; a digest that has a row keeps it. How many were made. */
  restore(objects: readonly StoredObject[]): Promise<number>;
  /** From now on no lease is given an epoch of `last` or less. */
  raiseEpochs(last: number): Promise<void>;
}

/** The lease under which one node of all tidies the bucket, or makes its rows anew. */
export const JANITOR_LEASE = "janitor";
