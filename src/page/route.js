/** Owns which view is open: the part of the address behind the "#", so that each view can be linked to and "back" works. */
import { computed, effect, signal } from "@preact/signals";
import { hashOf, readHash } from "./hash.js";

/** The server never sees what is behind the "#": over the login page, the browser itself remembers it for this tab. */
const REMEMBERED = "granary-view";

/** Who comes from the login page goes on where they were. */
function remembered() {
  const isBack = document.referrer === `${location.origin}/login`;
  try {
    return isBack && location.hash === "" ? (sessionStorage.getItem(REMEMBERED) ?? "") : "";
  } catch {
    return "";
  }
}

const back = remembered();
if (back !== "") history.replaceState(null, "", back);

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

effect(() => {
  try {
    sessionStorage.setItem(REMEMBERED, hash.value);
  } catch {
    // The browser keeps nothing for this page.
  }
});

/** The view and what it is asked to show: `#/contents?search=alpine` is ["contents", { search }]. */
export const route = computed(() => readHash(hash.value));

/**
 * @param {string} view
 * @param {Readonly<Record<string, string | undefined>>} [query]
 */
export function linkTo(view, query = {}) {
  return hashOf(view, query);
}

/**
 * The same view with other questions, without a step for "back".
 * @param {Readonly<Record<string, string | undefined>>} query
 */
export function ask(query) {
  history.replaceState(null, "", linkTo(route.value.view, { ...route.value.query, ...query }));
  hash.value = location.hash;
}
