/**
 * Owns what signals mean to a server: stop, stop now, read files again, nothing. They are caught before anything is opened: as the
 * first process of a container it would not hear them otherwise, and by default most of them end a process without a drain.
 */
import type { Log } from "../observe/log.ts";

export type ServerSignals = {
  /** Resolves with the name of the first signal that asks for a stop; the second ends the process at once. */
  readonly stop: Promise<NodeJS.Signals>;
  /** `work` runs at each SIGHUP from now on, and once for those that came before; one run at a time, and none after a stop. */
  onReload(work: () => Promise<void>): void;
  /** Where signals without a meaning are told. */
  tell(log: Log): void;
};

const STOPS = ["SIGTERM", "SIGINT", "SIGQUIT"] as const;

/** Of logrotate and process managers. Node would open its debugger at the first, and end at the second. */
const IGNORED = ["SIGUSR1", "SIGUSR2"] as const;

export function catchServerSignals(): ServerSignals {
  let log: Log | undefined;
  let isStopping = false;
  let isWanted = false;
  let reload: (() => Promise<void>) | undefined;
  let isRunning = false;

  /** Signals that come while it runs are one further run. */
  const run = async () => {
    if (isRunning || reload === undefined) return;
    isRunning = true;
    while (isWanted && !isStopping) {
      isWanted = false;
      await reload();
    }
    isRunning = false;
  };

  process.on("SIGHUP", () => {
    isWanted = true;
    void run(); // It tells its own failures.
  });
  for (const name of IGNORED)
    process.on(name, () => log?.info({ signal: name }, "this signal means nothing here"));
  const stop = new Promise<NodeJS.Signals>((resolve) => {
    for (const name of STOPS) {
      process.on(name, () => {
        if (isStopping) process.exit(1);
        isStopping = true;
        resolve(name);
      });
    }
  });
  return {
    stop,
    onReload(work) {
      reload = work;
      void run();
    },
    tell(to) {
      log = to;
    },
  };
}
