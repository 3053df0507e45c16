/** Owns the bar on a terminal: how much, how fast, how long still. One bar a phase, and none of it stays on the screen. */
import { SingleBar } from "cli-progress";
import type { Progress } from "../client/fetching/progress.ts";
import type { Clock } from "../observe/clock.ts";
import { amountOf, clockTime, doing, type ProgressDisplay } from "./progress-display.ts";
import { Rate } from "./rate.ts";

type Shown = { readonly phase: Progress["phase"]; readonly bar: SingleBar; readonly rate: Rate };

export function progressBar(stream: NodeJS.WritableStream, clock: Clock): ProgressDisplay {
  let shown: Shown | undefined;
  let isOver = false;
  return {
    end() {
      isOver = true;
      shown?.bar.stop();
    },
    report(progress) {
      if (isOver) return;
      if (shown?.phase !== progress.phase) {
        shown?.bar.stop();
        shown = startBar(stream, clock, progress);
      }
      const { bar, rate } = shown;
      rate.add(progress.done);
      bar.setTotal(progress.total);
      bar.update(progress.done, wordsOf(progress, rate));
    },
  };
}

function startBar(stream: NodeJS.WritableStream, clock: Clock, progress: Progress): Shown {
  const bar = new SingleBar({
    stream,
    // Asked for at each drawing: the terminal may have another width by then.
    format: (_, { maxWidth }, words: Words) => progressLine(words, maxWidth),
    hideCursor: true,
    clearOnComplete: true,
    // interruption.ts owns the signals, and sees to it that the bar is stopped.
    gracefulExit: false,
  });
  const rate = new Rate(clock);
  bar.start(progress.total, progress.done, wordsOf(progress, rate));
  return { phase: progress.phase, bar, rate };
}

type Words = {
  readonly share: number;
  readonly label: string;
  readonly amount: string;
  readonly rate: string;
  readonly left: string;
};

function wordsOf({ phase, done, total }: Progress, rate: Rate): Words {
  const perSecond = rate.perSecond();
  const leftMs = rate.leftMs(total);
  return {
    share: total === 0 ? 1 : Math.min(1, done / total),
    label: doing(phase),
    amount: `  ${amountOf(phase, done)} of ${amountOf(phase, total)}`,
    rate: perSecond === undefined ? "" : `  ${amountOf(phase, perSecond)}/s`,
    left: leftMs === undefined ? "" : `  ${clockTime(leftMs)} left`,
  };
}

const LONGEST_BAR = 24;
const SHORTEST_BAR = 4;

/**
 * One line that is shorter than `columns`. The bar gives way first, then whole words, the least wanted first: the rate, the time that is
 * left, the amounts. No word is ever cut.
 */
export function progressLine({ share, label, amount, rate, left }: Words, columns: number): string {
  const percentage = `${Math.floor(share * 100)}%`;
  // The last column stays free: terminals differ in what a character there does to the cursor.
  const room = columns - 1;
  const full = `${percentage}${amount}${rate}${left}`;
  const bar = Math.min(LONGEST_BAR, room - `${label} [] ${full}`.length);
  if (bar >= SHORTEST_BAR) return `${label} ${drawn(share, bar)} ${full}`;
  const tails = [full, `${percentage}${amount}${left}`, `${percentage}${amount}`, percentage];
  const lines = [...tails.map((tail) => `${label} ${tail}`), percentage];
  return lines.find(({ length }) => length <= room) ?? "";
}

function drawn(share: number, size: number): string {
  return `[${"=".repeat(Math.round(share * size)).padEnd(size)}]`;
}
