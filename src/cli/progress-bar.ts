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
    format: "{label} [{bar}] {percentage}%  {amount}{rate}{left}",
    barsize: 24,
    barCompleteChar: "=",
    barIncompleteChar: " ",
    hideCursor: true,
    clearOnComplete: true,
    // interruption.ts owns the signals, and sees to it that the bar is stopped.
    gracefulExit: false,
  });
  const rate = new Rate(clock);
  bar.start(progress.total, progress.done, wordsOf(progress, rate));
  return { phase: progress.phase, bar, rate };
}

function wordsOf({ phase, done, total }: Progress, rate: Rate) {
  const perSecond = rate.perSecond();
  const leftMs = rate.leftMs(total);
  return {
    label: doing(phase),
    amount: `${amountOf(phase, done)} of ${amountOf(phase, total)}`,
    rate: perSecond === undefined ? "" : `  ${amountOf(phase, perSecond)}/s`,
    left: leftMs === undefined ? "" : `  ${clockTime(leftMs)} left`,
  };
}
