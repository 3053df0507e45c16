/**
 * Owns what the log and the events tell of one transfer, by the name (and the tag, where it is known) that it was begun for: that it begins, how far it is (every ten
 * seconds), and how it ended. It decides nothing.
 */
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import { type GranaryError, isGranaryError } from "../../errors.ts";
import type { FillObserver, FillProgress } from "../../fill/fill-ask.ts";
import type { Timer } from "../../observe/clock.ts";
import type { Observers } from "../../observe/observers.ts";
import { isBackground, type Purpose, type Wanting } from "../../purpose.ts";
import { failureFacts } from "../../records/cause.ts";
import type { EventKind } from "../../records/event.ts";
import type { EventTeller } from "../../records/events.ts";
import type { BlobTarget } from "../../routing/target.ts";

const EVERY_MS = 10_000;

type FillListeners = Pick<Observers, "log" | "clock"> & { readonly events?: EventTeller };

export class FillLog implements FillObserver {
  readonly #observers: FillListeners;
  readonly #target: Pick<BlobTarget, "upstream" | "repository">;
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
    observers: FillListeners,
    { purpose, serves }: Wanting = { purpose: "waited" },
  ) {
    this.#observers = observers;
    this.#target = { upstream, repository };
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
    const text = `fetching a blob ${all} for ${this.#name}${rest}`;
    this.#tell("info", text, { present, size }, "fill-begun");
    this.#tellLater();
  }

  ended(failure: GranaryError | undefined): void {
    this.#timer?.cancel();
    if (this.#progress === undefined) return;
    const { present, size } = this.#progress();
    const ms = this.#observers.clock.elapsed() - this.#startedAt;
    const facts = { present, size, ms, ...failureFacts(failure), reason: failure?.message };
    const name = this.#name;
    if (failure === undefined)
      this.#tell(
        "info",
        `fetched a blob of ${formatBytes(present)} for ${name} in ${formatDuration(ms)}`,
        facts,
        "fill-ended",
      );
    // Nobody wants it any more, or the process stops.
    else if (isGranaryError(failure, "closed"))
      this.#tell(
        "info",
        `stopped fetching a blob for ${name}: ${partOf({ present, size })} are kept`,
        facts,
        "fill-paused",
      );
    else if (isGranaryError(failure, "store-full", "store-damaged"))
      this.#tell("warn", `a blob for ${name} was passed through and could not be kept`, facts, "fill-failed");
    else if (isGranaryError(failure, "digest-mismatch"))
      this.#tell(
        "warn",
        `a blob for ${name} came with wrong bytes: nothing of it is kept`,
        facts,
        "digest-mismatch",
      );
    else this.#tell("warn", `could not fetch a blob for ${name}`, facts, "fill-failed");
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

  /** With a `kind`, people hear of it as well. */
  #tell(level: "info" | "warn", text: string, facts: FillFacts, kind?: EventKind): void {
    const blob = `${this.#name}@${this.#digest}`;
    const { log, events } = this.#observers;
    log[level]({ blob, purpose: this.#purpose, ...facts }, text);
    const told = { ...this.#target, digest: this.#digest, purpose: this.#purpose, ...facts };
    if (kind !== undefined) events?.tell(kind, text, told);
  }
}

type FillFacts = Readonly<Record<string, string | number | undefined>>;

/** "1.2GiB of 4.6GiB (26 %)" */
function partOf({ present, size }: FillProgress): string {
  if (size === undefined || size === 0) return formatBytes(present);
  return `${formatBytes(present)} of ${formatBytes(size)} (${Math.floor((100 * present) / size)} %)`;
}
