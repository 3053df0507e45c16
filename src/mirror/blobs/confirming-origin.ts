/** Owns the Origin that the Mirror hands to a Fill: the one of a repository, whose answers with bytes prove that the repository has the blob. */
import type { ByteRange } from "../../bytes/byte-range.ts";
import type { Allowance, Crowd, OpenedRange, Origin, WantedFor } from "../../origin.ts";

export class ConfirmingOrigin implements Origin {
  readonly name: string;
  readonly #origin: Origin;
  readonly #answered: (size: number | undefined) => Promise<void>;
  #last: { readonly size: number | undefined } | undefined;

  /** `answered` hears of the first answer, and of each that states another size; bytes are given out when it is done. */
  constructor(origin: Origin, answered: (size: number | undefined) => Promise<void>) {
    this.name = origin.name;
    this.#origin = origin;
    this.#answered = answered;
  }

  get crowd(): Crowd | undefined {
    return this.#origin.crowd;
  }

  get allowance(): Allowance | undefined {
    return this.#origin.allowance;
  }

  holds(wantedFor: WantedFor): boolean {
    return this.#origin.holds?.(wantedFor) === true;
  }

  async open(range: ByteRange, signal: AbortSignal, wantedFor?: WantedFor): Promise<OpenedRange> {
    const opened = await this.#origin.open(range, signal, wantedFor);
    const { size } = opened;
    if (this.#last !== undefined && this.#last.size === size) return opened;
    try {
      await this.#answered(size);
    } catch (error) {
      opened.dismiss();
      throw error;
    }
    this.#last = { size };
    return opened;
  }

  strike(): void {
    this.#origin.strike();
  }
}
