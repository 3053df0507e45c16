/**
 * Owns the states of what a view asks the server for: it comes, it is there, it failed, the server is away. What was shown stays while it is
 * asked again; nothing is asked while the server is away, and everything once it is back.
 */
import { html } from "htm/preact";
import { useEffect, useState } from "preact/hooks";
import { connection } from "../live.js";

/**
 * @template T
 * @typedef {{ readonly data?: T, readonly error?: Error, readonly isAsking: boolean, readonly again: () => void }} Asked
 */

/**
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} question
 * @param {readonly unknown[]} inputs asked again when one of them changes
 * @param {number} [everyMs] and as often as this, if given, while somebody looks
 * @returns {Asked<T>}
 */
export function useAsked(question, inputs, everyMs) {
  const [answer, setAnswer] = useState(/** @type {{ data?: T, error?: Error }} */ ({}));
  const [isAsking, setAsking] = useState(true);
  const [turn, setTurn] = useState(0);
  const isLost = connection.value === "lost";
  useEffect(() => {
    if (isLost) return;
    const controller = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const run = async () => {
      setAsking(true);
      try {
        const data = await question(controller.signal);
        if (!controller.signal.aborted) setAnswer({ data });
      } catch (failure) {
        if (controller.signal.aborted) return;
        const error = failure instanceof Error ? failure : new Error(String(failure));
        setAnswer((before) => ({ ...before, error }));
      }
      setAsking(false);
      if (!controller.signal.aborted) later();
    };
    // Nothing is asked again while nobody looks.
    const later = () => {
      if (everyMs !== undefined) timer = setTimeout(() => (document.hidden ? later() : void run()), everyMs);
    };
    void run();
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [...inputs, turn, isLost]);
  const { data, error } = answer;
  return {
    ...(data !== undefined && { data }),
    ...(error !== undefined && { error }),
    isAsking,
    again: () => setTurn((before) => before + 1),
  };
}

/** @param {{ readonly asked: Asked<unknown> }} props */
export function Waiting({ asked: { data, error, isAsking, again } }) {
  // The frame says that the server is away, once for all parts.
  if (connection.value === "lost")
    return data === undefined && html`<p class="empty">This comes as soon as Granary answers again.</p>`;
  if (error !== undefined)
    return html`<p class="banner bad" role="alert"><span>${error.message}</span><button class="push" type="button" disabled=${isAsking} onClick=${again}>Try again</button></p>`;
  return data === undefined && html`<${Skeleton} />`;
}

/** Where something will stand. It is not seen before a moment has passed: a quick answer does not flash. */
function Skeleton() {
  return html`<div class="skeleton" aria-busy="true"><span class="hidden">One moment …</span><i></i><i></i><i></i></div>`;
}
