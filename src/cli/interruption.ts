/** Owns Ctrl-C and SIGTERM while a verb works: the first asks it to stop, the second ends the process at once. */
import { constants } from "node:os";

export type Interruption = {
  readonly signal: AbortSignal;
  /** What the process ends with once `signal` is aborted, as shells count: 130 after Ctrl-C, 143 after SIGTERM. */
  exitCode(): number;
  /** Signals are again what they were before. */
  release(): void;
};

const SIGNALS = ["SIGINT", "SIGTERM"] as const;

export function catchSignals(): Interruption {
  const controller = new AbortController();
  let code = 1;
  const onSignal = (name: NodeJS.Signals) => {
    code = 128 + constants.signals[name];
    if (controller.signal.aborted) process.exit(code);
    controller.abort();
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    exitCode: () => code,
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
