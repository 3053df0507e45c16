/** Owns progress in a pipe or a log file: a line when a phase begins and one when it is done, and now and then one between. */
import type { Progress } from "../client/fetching/progress.ts";
import type { Clock } from "../observe/clock.ts";
import { amountOf, doing, finished, type ProgressDisplay } from "./progress-display.ts";
import { Rate } from "./rate.ts";

/** Slow transfers show that they live; logs do not fill up. */
const EVERY_MS = 30_000;

type Step = { readonly phase: Progress["phase"]; readonly rate: Rate; toldAt: number; isDone: boolean };

export function progressLines(stream: NodeJS.WritableStream, clock: Clock): ProgressDisplay {
  let step: Step | undefined;
  let isOver = false;
  const write = (line: string) => stream.write(`${line}\n`);
  return {
    end() {
      isOver = true;
    },
    report(progress) {
      if (isOver) return;
      const { phase, done, total } = progress;
      if (step?.phase !== phase) {
        step = { phase, rate: new Rate(clock), toldAt: clock.elapsed(), isDone: false };
        if (done < total) write(`${doing(phase)} ${amountOf(phase, total)}${hereSoFar(progress)}`);
      }
      step.rate.add(done);
      if (step.isDone) return;
      if (done === total) {
        step.isDone = true;
        write(`${finished(phase)} ${amountOf(phase, total)}${inBrackets(phase, step.rate.overall())}`);
      } else if (clock.elapsed() - step.toldAt >= EVERY_MS) {
        step.toldAt = clock.elapsed();
        write(
          `${doing(phase)}: ${amountOf(phase, done)} of ${amountOf(phase, total)}${inBrackets(phase, step.rate.perSecond())}`,
        );
      }
    },
  };
}

function hereSoFar({ phase, done }: Progress): string {
  return done === 0 || phase === "verify" ? "" : `, ${amountOf(phase, done)} are here`;
}

function inBrackets(phase: Progress["phase"], perSecond: number | undefined): string {
  return perSecond === undefined ? "" : ` (${amountOf(phase, perSecond)}/s)`;
}
