/** Owns the job kind "warm": what it takes, how its progress is counted, where it goes on after a restart, and what speaks against it. */
import { contradictionOf } from "../contradictions.ts";
import { messageOf } from "../errors.ts";
import type { JobRecord } from "../jobs/job.ts";
import type { JobControls, JobKind } from "../jobs/job-kind.ts";
import type { Clock } from "../observe/clock.ts";
import { asObject, sizeOf } from "../oci/json-value.ts";
import { parsePullName } from "../routing/pull-name.ts";
import type { RoutedUpstream } from "../routing/routing.ts";
import type { ManifestTarget } from "../routing/target.ts";
import { throwIfAborted } from "../waiting/abort.ts";
import { parseWarmAsk, type WarmAsk } from "./warm-ask.ts";
import type { WarmMirror } from "./warm-mirror.ts";
import { refuseTooLarge, targetsOf, type WarmWork, warmReference } from "./warm-references.ts";
import { type WarmLine, WarmLines, type WarmResult } from "./warm-result.ts";

export const WARM_JOB = "warm";

export type WarmParts = {
  readonly mirror: WarmMirror;
  readonly clock: Clock;
  /** Those that are configured now. */
  readonly upstreams: () => Iterable<RoutedUpstream>;
};

export function warmJob(parts: WarmParts): JobKind<WarmAsk> {
  return {
    name: WARM_JOB,
    canResume: true,
    parse: (input) => parseWarmAsk(input, parts.upstreams()),
    contradicts: (ask, running) =>
      contradicts(ask, running) ??
      contradictionOf({ kind: WARM_JOB, input: ask }, running, parts.upstreams()),
    work: async (ask, controls) => await new WarmRun(parts, ask, controls).run(),
  };
}

/** Two that bring in the same do the same work twice. */
function contradicts({ list, references }: WarmAsk, running: readonly JobRecord[]): string | undefined {
  const same = running.find(({ kind, input }) => {
    if (kind !== WARM_JOB) return false;
    const other = asObject(input);
    return list !== undefined && other?.list === list
      ? true
      : JSON.stringify(other?.references) === JSON.stringify(references);
  });
  if (same === undefined) return undefined;
  return `Job ${same.id} (${same.title}) brings in the same and still runs: wait for it, or stop it with granary jobs stop ${same.id}.`;
}

class WarmRun {
  readonly #parts: WarmParts;
  readonly #ask: WarmAsk;
  readonly #controls: JobControls;
  readonly #work: WarmWork;
  readonly #lines: WarmLines;
  /** References of the ask that are done. */
  #next: number;
  readonly #bytes = { done: 0, total: 0 };
  readonly #things: { done: number; total: number };

  constructor(parts: WarmParts, ask: WarmAsk, controls: JobControls) {
    const { mirror, clock } = parts;
    const { signal, note } = controls;
    const place = asObject(controls.remembered);
    this.#parts = parts;
    this.#ask = ask;
    this.#controls = controls;
    this.#work = { mirror, clock, signal, note, ask };
    this.#next = Math.min(sizeOf(place?.next) ?? 0, ask.references.length);
    this.#lines = new WarmLines(place?.lines as WarmResult | undefined);
    this.#things = { done: this.#next, total: ask.references.length };
  }

  async run(): Promise<WarmResult> {
    try {
      for (; this.#next < this.#ask.references.length; this.#next += 1) {
        this.#remember();
        await this.#warm(this.#ask.references[this.#next] ?? "");
      }
    } catch (error) {
      // What is done is told, also of a job that was stopped.
      if (!this.#controls.signal.aborted) throw error;
    }
    return this.#lines.result;
  }

  async #warm(text: string): Promise<void> {
    let targets: readonly ManifestTarget[] = [];
    try {
      targets = await targetsOf(parsePullName(text, this.#parts.upstreams()), this.#work);
    } catch (error) {
      throwIfAborted(this.#controls.signal, "the warm-up");
      this.#lines.add({ reference: text, outcome: "failed", brought: 0, here: 0, reason: messageOf(error) });
      this.#controls.note(`${text}: ${messageOf(error)}`);
    }
    this.#things.total += Math.max(0, targets.length - 1);
    for (const target of targets) await this.#warmTarget(target);
    if (targets.length === 0) this.#things.done += 1;
    this.#report();
  }

  async #warmTarget(target: ManifestTarget): Promise<void> {
    const { disk } = await this.#parts.mirror.status();
    const before = this.#bytes.done;
    const line = await warmReference(
      target,
      this.#work,
      (count) => {
        this.#bytes.done += count;
        this.#bytes.total = Math.max(this.#bytes.total, this.#bytes.done);
        this.#report();
      },
      async ({ wanted }) => {
        const bytes = wanted.blobs.reduce((sum, { size = 0 }) => sum + size, 0);
        refuseTooLarge(before + bytes, disk.budget);
        this.#bytes.total = Math.max(this.#bytes.total, before + bytes);
        this.#report();
      },
    );
    this.#lines.add(line);
    this.#things.done += 1;
    this.#controls.note(noteOf(line));
    this.#report();
  }

  #report(): void {
    this.#controls.progress({ bytes: this.#bytes, things: this.#things });
  }

  #remember(): void {
    this.#controls.remember({ next: this.#next, lines: this.#lines.result });
  }
}

function noteOf({ reference, outcome, reason }: WarmLine): string {
  const words = { here: "was here already", brought: "is here", failed: "failed" }[outcome];
  return `${reference} ${words}${reason === undefined ? "" : `: ${reason}`}`;
}
