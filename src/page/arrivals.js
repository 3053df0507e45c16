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
 * An event of a pull; undefined where it is of none.
 * @param {ToldEvent} event
 * @returns {Arrival | undefined}
 */
export function arrivalOfEvent({ at, kind, facts }) {
  const agent = text(facts.agent);
  const { pull, served } = facts;
  const state = STATES[kind];
  if (agent === undefined || state === undefined || typeof pull !== "number") return undefined;
  return {
    ...{ id: pull, at, agent, state },
    ...{ client: text(facts.client), tag: text(facts.tag), reason: text(facts.reason) },
    ...{ upstream: text(facts.upstream), repository: text(facts.repository) },
    served: typeof served === "number" ? served : 0,
  };
}

/**
 * A client that asked for something, by its last request: also for one that is refused before anything is pulled.
 * @param {{ readonly client?: string | undefined, readonly agent: string, readonly lastAt: number, readonly served: number, readonly reason?: string | undefined, readonly upstream?: string | undefined }} seen
 * @returns {Arrival}
 */
function arrivalOfClient({ client, agent, lastAt, served, reason, upstream }) {
  return {
    ...{ id: -1, at: lastAt, client, agent, upstream, served, reason },
    ...{ repository: undefined, tag: undefined, state: reason === undefined ? "seen" : "failed" },
  };
}

/** @param {Arrival} arrival */
function machineOf({ client, agent }) {
  return `${client ?? ""}\n${agent}`;
}

/**
 * The newest of each machine, newest first. Of one pull the latest state counts; a machine that asked without a pull comes in by that.
 * @param {readonly (Arrival | undefined)[]} found
 * @param {readonly string[]} agents what this kind of client calls itself
 * @param {number} since epoch ms, of the server's clock
 * @param {readonly Parameters<typeof arrivalOfClient>[0][]} [clients] all that asked lately
 * @returns {readonly Arrival[]}
 */
export function newestByMachine(found, agents, since, clients = []) {
  /** @type {Map<number, Arrival>} */
  const pulls = new Map();
  for (const arrival of found)
    if (arrival !== undefined && arrival.at >= since && agents.includes(arrival.agent))
      pulls.set(arrival.id, merged(pulls.get(arrival.id), arrival));
  /** @type {Map<string, Arrival>} */
  const machines = new Map();
  for (const arrival of [...pulls.values()].sort(byAge)) machines.set(machineOf(arrival), arrival);
  for (const arrival of clients.map(arrivalOfClient)) {
    const isOne = arrival.at >= since && agents.includes(arrival.agent);
    if (isOne && !machines.has(machineOf(arrival))) machines.set(machineOf(arrival), arrival);
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
