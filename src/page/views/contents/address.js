/** Owns what the address says of the contents: search, upstream, lines, order and page. Each step can be linked to, and "back" goes back to it. */
import { linkTo, route } from "../../route.js";

export const PAGE = 50;

/** The order in which each comes by itself, for `aria-sort`. @type {Readonly<Record<string, "ascending" | "descending">>} */
export const ORDERS = { name: "ascending", size: "descending", saved: "descending", used: "descending" };

/** @typedef {Readonly<Record<string, string | undefined>>} Asking */

/** What the address asks for, with what it leaves out. */
export function asking() {
  const {
    search = "",
    sort = "size",
    by = "repository",
    upstream = "",
    reverse = "",
    after = "",
  } = route.value.query;
  return {
    search,
    upstream,
    sort: sort in ORDERS ? sort : "size",
    by: by === "tag" ? by : "repository",
    isReversed: reverse !== "",
    after,
  };
}

/**
 * The address with something else asked for: from the first page on, unless `change` names one.
 * @param {Asking} change
 */
export function addressWith(change) {
  return linkTo("contents", { ...route.value.query, after: undefined, ...change });
}

/** @param {Asking} change */
export function goTo(change) {
  location.hash = addressWith(change);
}
