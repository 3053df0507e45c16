/**
 * Owns how many pages of this browser hold a stream of events at once. Over HTTP/1.1 a browser opens six connections to a server, for all of
 * its tabs together, and a stream keeps one: the seventh page would not even load. So three pages have a stream, and others ask now and then.
 */

const MOST = 3;
const NAME = "granary-streams";
/** A page that was closed without a word counts for so long. */
const LEASE_MS = 5_000;

const self = `${Date.now()}-${Math.random()}`;

/** @typedef {{ readonly keep: () => void, readonly leave: () => void }} Place */

/**
 * Which pages hold one, and until when. Two that look at the same moment may both take the last place: there is room for that.
 * @returns {Record<string, number>}
 */
function others() {
  const text = localStorage.getItem(NAME) ?? "{}";
  const now = Date.now();
  const known = Object.entries(JSON.parse(text)).filter(
    ([page, until]) => page !== self && Number(until) > now && Number(until) <= now + LEASE_MS,
  );
  return Object.fromEntries(known);
}

/** @template T @param {() => T} work @param {T} otherwise */
function tried(work, otherwise) {
  try {
    return work();
  } catch {
    // The browser keeps nothing for this page, or somebody else wrote there: then each page is by itself.
    return otherwise;
  }
}

/** A place to be kept while the stream lives; undefined where enough pages have one. @returns {Place | undefined} */
export function takePlace() {
  const isFull = tried(() => Object.keys(others()).length >= MOST, false);
  if (isFull) return undefined;
  const write = (/** @type {Record<string, number>} */ pages) =>
    localStorage.setItem(NAME, JSON.stringify(pages));
  const keep = () => tried(() => write({ ...others(), [self]: Date.now() + LEASE_MS }), undefined);
  keep();
  return { keep, leave: () => tried(() => write(others()), undefined) };
}
