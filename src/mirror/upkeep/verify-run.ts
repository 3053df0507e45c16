/**
 * Owns what the steps of a verification share: its parts, its counts, and how a finding is noted and repaired. It looks at nothing stored
 * itself.
 */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Damage } from "../space/damage.ts";
import type { Pins } from "../space/pins.ts";
import type { SoundBlobs } from "./sound-blobs.ts";
import type { Finding, FindingKind, VerifyOptions } from "./verify-report.ts";

export type VerifyParts = {
  readonly metadata: Metadata;
  readonly store: BlobStore;
  readonly sound: SoundBlobs;
  readonly damage: Damage;
  readonly clock: Clock;
  /** A blob is pinned while it is read; one that is being filled is neither missing nor wrong. */
  readonly pins: Pick<Pins, "pin" | "isFilled" | "isLeaving">;
};

/** What the steps share. */
export type VerifyRun = VerifyParts & {
  readonly options: VerifyOptions;
  readonly found: (kind: FindingKind, what: string, outcome?: Partial<Finding>) => void;
  readonly counts: { blobs: number; bytes: number; manifests: number };
  readonly place: (after: string) => void;
  done: number;
  total: number;
};

/** Whether the caller asked for this digest. */
export function isMeant({ options }: VerifyRun, digest: Digest): boolean {
  return options.isMeant?.(digest) ?? true;
}

/** Notes a finding; when repair was asked for, after `mend`. */
export async function repaired(
  work: VerifyRun,
  kind: FindingKind,
  what: string,
  mend: () => Promise<void>,
  reason?: string,
): Promise<void> {
  const said = reason !== undefined && { reason };
  if (!work.options.repair) return work.found(kind, what, { ...said });
  try {
    await mend();
    work.found(kind, what, { isRepaired: true, ...said });
  } catch (error) {
    if (isGranaryError(error, "closed")) throw error;
    work.found(kind, what, { reason: messageOf(error) });
  }
}

/** Throws `aborted` where the caller has stopped it. */
export function checkAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new GranaryError("aborted", "The verification was stopped.");
}
