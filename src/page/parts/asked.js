/** Owns the three states of what a view asks the server for: it comes, it is there, it failed. What was shown stays while it is asked again. */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";

/**
 * @template T
 * @typedef {{ readonly data?: T, readonly error?: Error, readonly isAsking: boolean, readonly again: () => void }} Asked
 */

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} question
 * @param {readonly unknown[]} inputs asked again when one of them changes
 * @param {number} [everyMs] and as often as this, if given
 * @returns {Asked<T>}
 */
export function useAsked(question, inputs, everyMs) {
  const [answer, setAnswer] = useState(/** @type {{ data?: T, error?: Error }} */ ({}));
  const [isAsking, setAsking] = useState(true);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const run = async () => {
      setAsking(true);
      try {
        const data = await question(controller.signal);
        if (!controller.signal.aborted) setAnswer({ data });
      } catch (error) {
        if (controller.signal.aborted) return;
        setAnswer((before) => ({
          ...before,
          error: error instanceof Error ? error : new Error(String(error)),
        }));
      }
      setAsking(false);
      if (everyMs !== undefined && !controller.signal.aborted) timer = setTimeout(run, everyMs);
    };
    void run();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [...inputs, turn]);
  return { ...answer, isAsking, again: () => setTurn((before) => before + 1) };
}

/** @param {{ readonly asked: Asked<unknown> }} props */
export function Waiting({ asked }) {
  if (asked.error !== undefined)
    return html`<p class="banner bad" role="alert"><span>${asked.error.message}</span><button onClick=${asked.again}>Try again</button></p>`;
  return asked.data === undefined && html`<p class="empty" aria-busy="true">One moment …</p>`;
}
