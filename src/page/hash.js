/** Owns how a view and what it is asked to show are written behind the "#" of an address, and read from there. Pure. */

/**
 * "#/contents?search=alpine" is the view "contents" with { search: "alpine" }; whatever else stands there is a view that does not exist.
 * @param {string} hash
 * @returns {{ readonly view: string, readonly query: Readonly<Record<string, string>> }}
 */
export function readHash(hash) {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const query = mark < 0 ? "" : text.slice(mark + 1);
  return { view: path === "" ? "now" : path, query: Object.fromEntries(new URLSearchParams(query)) };
}

/**
 * @param {string} view
 * @param {Readonly<Record<string, string | undefined>>} query what is undefined or empty is left out
 */
export function hashOf(view, query) {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, value]],
  );
  return given.length === 0 ? `#/${view}` : `#/${view}?${new URLSearchParams(given)}`;
}
