/** Owns a pause between two tries: it lasts as long as it was told, or until a signal ends it. */
import type { Clock } from "../observe/clock.ts";
import { onAbort } from "./abort.ts";

/** Resolves after `ms`, or as soon as `signal` aborts; the caller looks at the signal where the two differ for it. Never rejects. */
export function sleep(ms: number, clock: Clock, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    let stopListening: () => void = () => undefined;
    const timer = clock.after(ms, () => {
      stopListening();
      resolve();
    });
    stopListening = onAbort(signal, () => {
      timer.cancel();
      resolve();
    });
  });
}
