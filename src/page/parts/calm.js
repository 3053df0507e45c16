/** Owns a value that changes often, as seen by who must not follow each change: at most once in a while, and in the end always the newest. */
import { useEffect, useRef, useState } from "preact/hooks";

/**
 * @template T
 * @param {T} value
 * @param {number} everyMs
 * @returns {T}
 */
export function useCalm(value, everyMs) {
  const [calm, setCalm] = useState(value);
  const changedAt = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    if (Object.is(value, calm)) return;
    const restMs = Math.max(0, changedAt.current + everyMs - performance.now());
    const timer = setTimeout(() => {
      changedAt.current = performance.now();
      setCalm(value);
    }, restMs);
    return () => clearTimeout(timer);
  }, [value, calm]);
  return calm;
}
