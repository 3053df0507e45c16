/**
 * Owns what of the pulls and events is news of one kind of client: the newest of each machine, and how it goes. It asks nothing and knows no
 * page. Pure.
 */

/** @typedef {import("./live.js").ToldEvent} ToldEvent */
/**
 * @typedef {{
 *   readonly id: number,
 *   readonly at: number,
 *   readonly client: string | undefined,
 *   readonly agent: string,
 *   readonly upstream: string | undefined,
 *   readonly repository: string | undefined,
 *   readonly tag: string | undefined,
 *   readonly state: "seen" | "running" | "done" | "failed",
 *   readonly served: number,
 *   readonly reason: string | undefined,
 * }} Arrival
 */

/** A state that comes later says more. */
const ORDER = /** @type {const} */ (["seen", "running", "done", "failed"]);
const STATES = /** @type {Readonly<Record<string, Arrival["state"]>>} */ ({
  "pull-begun": "running",
  "pull-ended": "done",
  "pull-failed": "failed",
});

/** @param {unknown} value */
function text(value) {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/**
 * A pull as the API lists it, or as it stands in a snapshot, where all of them run.
 * @param {any} pull
 * @returns {Arrival}
 */
export function arrivalOfPull({
  id,
  begunAt,
  client,
  agent,
  upstream,
  repository,
  tag,
  state,
  served,
  reason,
}) {
  const known = ORDER.find((each) => each === state) ?? "running";
  return {
    ...{ id, at: begunAt, agent, upstream, repository, served, state: known },
    ...{ client: text(client), tag: text(tag), reason: text(reason) },
  };
}

/**
 * An event of a client; undefined where it is of none. One that is of no pull has an id of its own, below all of those.
 * @param {ToldEvent} event
 * @returns {Arrival | undefined}
 */
export function arrivalOfEvent({ id, at, kind, facts }) {
  const agent = text(facts.agent);
  if (agent === undefined) return undefined;
  const { pull, served } = facts;
  return {
    ...{ id: typeof pull === "number" ? pull : -id, at, agent, state: STATES[kind] ?? "seen" },
    ...{ client: text(facts.client), tag: text(facts.tag), reason: text(facts.reason) },
    ...{ upstream: text(facts.upstream), repository: text(facts.repository) },
    served: typeof served === "number" ? served : 0,
  };
}

/**
 * The newest of each machine, newest first. Of one pull the latest state counts.
 * @param {readonly (Arrival | undefined)[]} found
 * @param {readonly string[]} agents what this kind of client calls itself
 * @param {number} since epoch ms, of the server's clock
 * @returns {readonly Arrival[]}
 */
export function newestByMachine(found, agents, since) {
  /** @type {Map<number, Arrival>} */
  const pulls = new Map();
  for (const arrival of found)
    if (arrival !== undefined && arrival.at >= since && agents.includes(arrival.agent))
      pulls.set(arrival.id, merged(pulls.get(arrival.id), arrival));
  /** @type {Map<string, Arrival>} */
  const machines = new Map();
  for (const arrival of [...pulls.values()].sort(byAge)) {
    const key = `${arrival.client ?? ""}\n${arrival.agent}`;
    const known = machines.get(key);
    // That a machine was seen says less than a pull of it, which comes with the same request.
    if (known === undefined || arrival.state !== "seen") machines.set(key, arrival);
  }
  return [...machines.values()].sort((a, b) => byAge(b, a));
}

/** @param {Arrival | undefined} before @param {Arrival} next @returns {Arrival} */
function merged(before, next) {
  if (before === undefined) return next;
  const [less, more] =
    ORDER.indexOf(next.state) >= ORDER.indexOf(before.state) ? [before, next] : [next, before];
  return { ...more, at: Math.min(less.at, more.at), served: Math.max(less.served, more.served) };
}

/** @param {Arrival} a @param {Arrival} b */
function byAge(a, b) {
  return a.at - b.at || a.id - b.id;
}
