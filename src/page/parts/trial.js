/** Owns the dry run of a change while its dialog is open: asked for again when another one is chosen, and when the server is back. */
import { useEffect, useState } from "preact/hooks";
import { connection } from "../live.js";

/**
 * `data` is the answer about the very change that is chosen now; `shown` may still be of the one before, until that is there.
 * @typedef {{ readonly data?: any, readonly shown?: unknown, readonly error?: Error | undefined, readonly again: () => void }} Trial
 */

/**
 * @param {import("./confirm.js").Change} change
 * @returns {Trial}
 */
export function useTrial(change) {
  const [told, setTold] = useState(
    /** @type {{ of?: import("./confirm.js").Change, data?: any, error?: Error }} */ ({}),
  );
  const [turn, setTurn] = useState(0);
  const isLost = connection.value === "lost";
  useEffect(() => {
    if (isLost) {
      setTold({});
      return undefined;
    }
    let isOver = false;
    /** @param {{ data: any } | { error: Error }} what */
    const tell = (what) => {
      if (!isOver) setTold({ of: change, ...what });
    };
    change.trial().then(
      (data) => tell({ data }),
      (error) => tell({ error: error instanceof Error ? error : new Error(String(error)) }),
    );
    return () => {
      isOver = true;
    };
  }, [change, turn, isLost]);
  const again = () => setTurn((before) => before + 1);
  const shown = told.data === undefined ? undefined : told.of?.describe(told.data);
  if (isLost || told.of !== change) return { shown, again };
  return { shown, data: told.data, error: told.error, again };
}
