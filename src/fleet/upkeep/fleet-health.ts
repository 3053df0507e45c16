/**
 * Owns what a node says of the database and the bucket of its fleet while they do not answer: once when it begins, with what to do, and once when it
 * is over. It looks at the bucket now and then; of the database it hears. It mends nothing.
 */
import { messageOf } from "../../errors.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Trouble } from "../../observe/troubles.ts";
import type { Bucket } from "../bucket.ts";
import type { Fleet } from "../fleet.ts";
import { CHECK_KEYS } from "../object-key.ts";

export type FleetHealthParts = {
  readonly fleet: Pick<Fleet, "isAnswering" | "onAnswering" | "members">;
  readonly bucket: Pick<Bucket, "head">;
  readonly troubles: Pick<Episodes<Trouble>, "trouble" | "over">;
};

/** One answer that fails may be one connection. */
const FAILURES = 2;
const ALONE = "Until then what is stored here is served, and each node fetches for itself what is not.";
const KEPT =
  "Until then nodes serve what they have and read from each other, and what is fetched goes there later.";

export class FleetHealth {
  readonly #parts: FleetHealthParts;
  readonly #stopHearing: () => void;
  #failures = 0;

  constructor(parts: FleetHealthParts) {
    this.#parts = parts;
    this.#stopHearing = parts.fleet.onAnswering(() => void this.lookAtDatabase());
  }

  /** Both now. Never rejects. */
  async look(): Promise<void> {
    await Promise.all([this.lookAtDatabase(), this.#lookAtBucket()]);
  }

  async lookAtDatabase(): Promise<void> {
    const { fleet, troubles } = this.#parts;
    if (fleet.isAnswering) return troubles.over("fleet-database");
    // Known not to answer, it says at once why.
    const reason = await fleet.members().then(() => undefined, messageOf);
    if (reason === undefined || fleet.isAnswering) return troubles.over("fleet-database");
    troubles.trouble("fleet-database", {}, `${reason} Bring the database of the fleet back. ${ALONE}`);
  }

  close(): void {
    this.#stopHearing();
  }

  async #lookAtBucket(): Promise<void> {
    const { bucket, troubles } = this.#parts;
    try {
      await bucket.head(`${CHECK_KEYS}none`);
      this.#failures = 0;
      troubles.over("fleet-bucket");
    } catch (error) {
      this.#failures += 1;
      if (this.#failures >= FAILURES)
        troubles.trouble(
          "fleet-bucket",
          {},
          `${messageOf(error)} Bring the bucket of the fleet back. ${KEPT}`,
        );
    }
  }
}
