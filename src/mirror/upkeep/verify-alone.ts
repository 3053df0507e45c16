/** Owns the verification of a store that no server uses meanwhile: the caller has its lock, and opens and closes its parts. */
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import { Damage } from "../space/damage.ts";
import { Pins } from "../space/pins.ts";
import { SoundBlobs } from "./sound-blobs.ts";
import { type VerifyOptions, type VerifyReport, verifyStore } from "./verify.ts";

export type VerifyAloneParts = {
  readonly metadata: Metadata;
  readonly store: BlobStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Throws as `verifyStore`. */
export async function verifyAlone(
  { metadata, store, clock, log, metrics }: VerifyAloneParts,
  options: VerifyOptions,
): Promise<VerifyReport> {
  const troubles = new Episodes(log, clock, Number.POSITIVE_INFINITY);
  const damage = new Damage({ log, metrics, troubles });
  // Nobody else reads, fills or evicts.
  const pins = new Pins(metrics);
  const sound = new SoundBlobs({ store, metadata, pins, damage, clock, log });
  return await verifyStore({ metadata, store, sound, damage, clock, pins }, options);
}
