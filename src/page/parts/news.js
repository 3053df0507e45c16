/** Owns when a view asks again by itself: something happened that may change what is stored, or bytes are coming in. Never more often than told. */
import { useEffect, useRef, useState } from "preact/hooks";
import { connection, events, status } from "../live.js";

/** What happens at once comes as several events. */
const SOON_MS = 250;

/**
 * A number that changes when the view should ask again.
 * @param {number} paceMs
 */
export function useNews(paceMs) {
  const [news, setNews] = useState(0);
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  const changedAt = useRef(0);
  const isMoving = (status.value?.fills.length ?? 0) > 0 ? status.value?.now : 0;
  const last = events.value[0]?.id;
  const isFirst = useRef(true);
  useEffect(() => {
    const isStart = isFirst.current;
    isFirst.current = false;
    if (isStart || timer.current !== undefined || connection.value !== "live") return;
    const rest = changedAt.current + paceMs - performance.now();
    timer.current = setTimeout(
      () => {
        timer.current = undefined;
        changedAt.current = performance.now();
        setNews((before) => before + 1);
      },
      Math.max(SOON_MS, rest),
    );
  }, [last, isMoving, connection.value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return news;
}
