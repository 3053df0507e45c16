/** Owns when the parts of this view ask again: after a change that was made here, and when the stream of events tells of one of theirs. */
import { signal } from "@preact/signals";
import { useRef } from "preact/hooks";
import { events } from "../../live.js";
import { useAsked } from "../../parts/asked.js";

const turn = signal(0);

/** What was changed here is asked for again at once. */
export function askAgain() {
  turn.value += 1;
}

/**
 * @param {(signal: AbortSignal) => Promise<any>} question
 * @param {readonly string[]} kinds of events after which the answer may be another one
 * @param {number} [everyMs]
 */
export function useFresh(question, kinds, everyMs) {
  const newest = events.value.find(({ kind }) => kinds.includes(kind))?.id;
  const asked = useAsked(question, [turn.value, newest, everyMs], everyMs);
  // It is the same question each time: what was shown stays, also beside a failure.
  const last = useRef(asked.data);
  last.current = asked.data ?? last.current;
  return { ...asked, data: last.current };
}
