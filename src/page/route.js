/** Owns which view is open: the part of the address behind the "#", so that each view can be linked to and "back" works. */
import { computed, signal } from "@preact/signals";

const hash = signal(location.hash);
addEventListener("hashchange", () => {
  hash.value = location.hash;
});

/** The view and what it is asked to show: `#/contents?search=alpine` is ["contents", { search }]. */
export const route = computed(() => {
  const [path = "", query = ""] = hash.value.replace(/^#\/?/, "").split("?");
  return { view: path === "" ? "now" : path, query: Object.fromEntries(new URLSearchParams(query)) };
});

/**
 * @param {string} view
 * @param {Readonly<Record<string, string | undefined>>} [query]
 */
export function linkTo(view, query = {}) {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, value]],
  );
  return given.length === 0 ? `#/${view}` : `#/${view}?${new URLSearchParams(given)}`;
}

/**
 * The same view with other questions, without a step for "back".
 * @param {Readonly<Record<string, string | undefined>>} query
 */
export function ask(query) {
  history.replaceState(null, "", linkTo(route.value.view, { ...route.value.query, ...query }));
  hash.value = location.hash;
}
