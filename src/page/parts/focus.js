/** Owns where the focus is while a dialog is open and after it: inside, then where it was, also when that line is gone meanwhile. */

const CAN_HAVE_FOCUS =
  "a[href], button:not(:disabled), input:not(:disabled), select:not(:disabled), textarea:not(:disabled), summary, [tabindex='0']";

/** @param {Element | null | undefined} within */
function firstIn(within) {
  return within?.isConnected === true
    ? /** @type {HTMLElement | null} */ (within.querySelector(CAN_HAVE_FOCUS))
    : null;
}

/**
 * Call it before the dialog opens. What it gives brings the focus back, and stays awake until the person goes elsewhere: when the line with the
 * control is removed, the next line gets the focus, or the one before, or the view.
 */
export function rememberFocus() {
  const opener = document.activeElement instanceof HTMLElement ? document.activeElement : document.body;
  const line = opener.closest("tr, li");
  const [next, before] = [line?.nextElementSibling, line?.previousElementSibling];
  const restNear = () => (firstIn(next) ?? firstIn(before) ?? document.querySelector("main"))?.focus();
  return () => {
    if (!opener.isConnected || opener === document.body) {
      restNear();
      return;
    }
    opener.focus();
    const watch = new MutationObserver(() => {
      if (opener.isConnected) return;
      stop();
      if (document.activeElement === null || document.activeElement === document.body) restNear();
    });
    const stop = () => {
      watch.disconnect();
      removeEventListener("focusin", leave);
    };
    /** @param {FocusEvent} event */
    const leave = ({ target }) => target !== opener && stop();
    watch.observe(document.body, { childList: true, subtree: true });
    addEventListener("focusin", leave);
  };
}

/**
 * Browsers let the Tab key leave a dialog for their own bars; here it goes round.
 * @param {KeyboardEvent} event
 * @param {HTMLElement} within
 */
export function goRound(event, within) {
  if (event.key !== "Tab") return;
  const all = [.../** @type {NodeListOf<HTMLElement>} */ (within.querySelectorAll(CAN_HAVE_FOCUS))].filter(
    (each) => each.checkVisibility(),
  );
  const [first, last] = [all[0], all.at(-1)];
  const { activeElement } = document;
  const isInside = activeElement !== null && all.includes(/** @type {HTMLElement} */ (activeElement));
  if (event.shiftKey ? activeElement !== first && isInside : activeElement !== last) return;
  event.preventDefault();
  (event.shiftKey ? last : first)?.focus();
}
