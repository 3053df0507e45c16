/**
 * Owns what the log tells of one transfer, by the name (and the tag, where it is known) that it was begun for: that it begins, how far it is (every ten
 * seconds), and how it ended. It decides nothing.
 */
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import { type GranaryError, isGranaryError } from "../../errors.ts";
import type { FillObserver, FillProgress } from "../../fill/fill-ask.ts";
import type { Timer } from "../../observe/clock.ts";
import type { Observers } from "../../observe/observers.ts";
import { isBackground, type Purpose, type Wanting } from "../../purpose.ts";
import type { BlobTarget } from "../../routing/target.ts";

const EVERY_MS = 10_000;

export class FillLog implements FillObserver {
  readonly #observers: Pick<Observers, "log" | "clock">;
  readonly #name: string;
  readonly #digest: string;
  /** Told where it is not for a client that waits. */
  readonly #purpose: Purpose | undefined;
  #progress: (() => FillProgress) | undefined;
  /** Bytes that were here, and the clock's `elapsed`, when it began. */
  #presentAtStart = 0;
  #startedAt = 0;
  #timer: Timer | undefined;

  constructor(
    { upstream, repository, digest }: Pick<BlobTarget, "upstream" | "repository" | "digest">,
    observers: Pick<Observers, "log" | "clock">,
    { purpose, serves }: Wanting = { purpose: "waited" },
  ) {
    this.#observers = observers;
    this.#name = `${upstream}/${repository}${serves?.tag === undefined ? "" : `:${serves.tag}`}`;
    this.#purpose = isBackground(purpose) ? purpose : undefined;
    this.#digest = digest;
  }

  begun(progress: () => FillProgress): void {
    const { present, size } = progress();
    this.#timer?.cancel();
    this.#progress = progress;
    this.#presentAtStart = present;
    this.#startedAt = this.#observers.clock.elapsed();
    const all = size === undefined ? "of unknown size" : `of ${formatBytes(size)}`;
    const rest = present === 0 ? "" : `, ${formatBytes(present)} of it are here already`;
    this.#tell("info", `fetching a blob ${all} for ${this.#name}${rest}`, { present, size });
    this.#tellLater();
  }

  ended(failure: GranaryError | undefined): void {
    this.#timer?.cancel();
    if (this.#progress === undefined) return;
    const { present, size } = this.#progress();
    const ms = this.#observers.clock.elapsed() - this.#startedAt;
    const facts = { present, size, ms, reason: failure?.message };
    const name = this.#name;
    if (failure === undefined)
      this.#tell(
        "info",
        `fetched a blob of ${formatBytes(present)} for ${name} in ${formatDuration(ms)}`,
        facts,
      );
    // Nobody wants it any more, or the process stops.
    else if (isGranaryError(failure, "closed"))
      this.#tell("info", `stopped fetching a blob for ${name}: ${partOf({ present, size })} are kept`, facts);
    else if (isGranaryError(failure, "store-full", "store-damaged"))
      this.#tell("warn", `a blob for ${name} was passed through and could not be kept`, facts);
    else this.#tell("warn", `could not fetch a blob for ${name}`, facts);
  }

  #tellLater(): void {
    this.#timer = this.#observers.clock.after(EVERY_MS, () => {
      this.#tellProgress();
      this.#tellLater();
    });
  }

  #tellProgress(): void {
    if (this.#progress === undefined) return;
    const { present, size } = this.#progress();
    const ms = this.#observers.clock.elapsed() - this.#startedAt;
    const bytesPerSecond = Math.round(((present - this.#presentAtStart) * 1000) / Math.max(1, ms));
    const text = `fetching a blob for ${this.#name}: ${partOf({ present, size })}, ${formatBytes(bytesPerSecond)} per second`;
    this.#tell("info", text, { present, size, bytesPerSecond, ms });
  }

  #tell(level: "info" | "warn", text: string, facts: Readonly<Record<string, unknown>>): void {
    const blob = `${this.#name}@${this.#digest}`;
    this.#observers.log[level]({ blob, purpose: this.#purpose, ...facts }, text);
  }
}

/** "1.2GiB of 4.6GiB (26 %)" */
function partOf({ present, size }: FillProgress): string {
  if (size === undefined || size === 0) return formatBytes(present);
  return `${formatBytes(present)} of ${formatBytes(size)} (${Math.floor((100 * present) / size)} %)`;
}
