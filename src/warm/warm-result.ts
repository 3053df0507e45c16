/** Owns what a warm-up answers: a line for each reference, bounded, with sums over all of them. Plain data. */

export type WarmLine = {
  /** What it is at its registry: "docker.io/library/alpine:3.22"; what was written, where it was never found. */
  readonly reference: string;
  /** `here`: nothing had to be brought. `brought`: it is here now. `failed`: see `reason`. */
  readonly outcome: "here" | "brought" | "failed";
  readonly digest?: string;
  /** Bytes of blobs that were brought, and that were here already. */
  readonly brought: number;
  readonly here: number;
  /** Only we can read it: strangers are not served it. */
  readonly isPrivate?: boolean;
  /** Why it failed, or what it lacks. */
  readonly reason?: string;
};

export type WarmResult = {
  /** Those that failed first; at most five hundred. */
  readonly lines: readonly WarmLine[];
  /** Lines that are not among them. */
  readonly leftOut: number;
  readonly counts: { readonly here: number; readonly brought: number; readonly failed: number };
  readonly bytes: { readonly brought: number; readonly here: number };
};

const MOST_LINES = 500;
/** A failure may quote what a registry says. */
const REASON_CHARACTERS = 300;

export class WarmLines {
  readonly #good: WarmLine[] = [];
  readonly #failed: WarmLine[] = [];
  readonly #counts = { here: 0, brought: 0, failed: 0 };
  readonly #bytes = { brought: 0, here: 0 };
  #total = 0;

  /** `earlier` is the result of the part that was done before a restart. */
  constructor(earlier?: WarmResult) {
    for (const line of earlier?.lines ?? []) this.#keep(line);
    this.#total = (earlier?.leftOut ?? 0) + (earlier?.lines.length ?? 0);
    Object.assign(this.#counts, earlier?.counts);
    Object.assign(this.#bytes, earlier?.bytes);
  }

  add(line: WarmLine): void {
    const { reason, ...rest } = line;
    this.#keep({ ...rest, ...(reason !== undefined && { reason: reason.slice(0, REASON_CHARACTERS) }) });
    this.#total += 1;
    this.#counts[line.outcome] += 1;
    this.#bytes.brought += line.brought;
    this.#bytes.here += line.here;
  }

  get result(): WarmResult {
    const lines = [...this.#failed, ...this.#good].slice(0, MOST_LINES);
    return {
      lines,
      leftOut: this.#total - lines.length,
      counts: { ...this.#counts },
      bytes: { ...this.#bytes },
    };
  }

  #keep(line: WarmLine): void {
    const kept = line.outcome === "failed" ? this.#failed : this.#good;
    if (kept.length < MOST_LINES) kept.push(line);
  }
}
