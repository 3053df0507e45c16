/**
 * Owns how damaged blobs and manifests are reported: a line of the log and a count for each, and a trouble in the status for as long as
 * files lie in the folder of damaged ones. What happens to the bytes is not decided here.
 */
import { formatBytes } from "../../bytes/units.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Trouble } from "../../observe/troubles.ts";
import type { Digest } from "../../oci/digest.ts";
import type { EventTeller } from "../../records/events.ts";
import type { DamagedFile } from "../../store/blob-store.ts";

export type DamageParts = {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Hears of `damage`, and when it is over. */
  readonly troubles: Episodes<Trouble>;
  readonly events?: EventTeller;
};

const TROUBLE = "damage";
/** It was right when it came: what is wrong is here, and not at the upstream. */
const DAMAGED: ErrorCode = "store-damaged";

export class Damage {
  readonly #parts: DamageParts;

  constructor(parts: DamageParts) {
    this.#parts = parts;
  }

  /** `reason` completes "because ...". */
  blob(digest: Digest, reason: string): void {
    this.#parts.log.error(
      { digest, reason },
      "a stored blob is damaged: set aside, it will be fetched again",
    );
    this.#parts.metrics.damaged.inc({ kind: "blob" });
    const text = `a stored blob is damaged, because ${reason}: set aside, it will be fetched again`;
    this.#parts.events?.tell("digest-mismatch", text, { code: DAMAGED, digest, reason });
    this.#trouble();
  }

  manifest(digest: Digest): void {
    const text = "a stored manifest is damaged: forgotten, it will be fetched again";
    this.#parts.log.error({ digest }, text);
    this.#parts.events?.tell("digest-mismatch", text, { code: DAMAGED, digest });
    this.#parts.metrics.damaged.inc({ kind: "manifest" });
  }

  /** All files that are in the folder of damaged ones now. */
  lying(files: readonly DamagedFile[]): void {
    const bytes = files.reduce((sum, { size }) => sum + size, 0);
    this.#parts.metrics.damagedBytes.set(bytes);
    if (files.length === 0) this.#parts.troubles.over(TROUBLE);
    else this.#trouble({ files: files.length, size: formatBytes(bytes) });
  }

  #trouble(facts: { readonly files?: number; readonly size?: string } = {}): void {
    const text =
      'Damaged blobs were set aside in the folder "damaged" of the storage directory: see to the disk, and remove them when you have looked at them (they go by themselves when room is needed).';
    this.#parts.troubles.trouble(TROUBLE, facts, text);
  }
}
