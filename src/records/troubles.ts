/**
 * Owns what failed lately, by its cause: how often, when, the newest few of each, and what to do about it. It reads the events that are kept,
 * and tells nothing itself.
 */
import type { Clock } from "../observe/clock.ts";
import { Slices } from "../waiting/slices.ts";
import { type Cause, causeIn } from "./cause.ts";
import { type Advice, adviceOn, isCause, isOfUpstream } from "./cause-advice.ts";
import type { EventKind, ToldEvent } from "./event.ts";
import type { Events } from "./events.ts";

export type TroubleGroup = Advice & {
  readonly cause: Cause;
  /** Where the cause is about one upstream. */
  readonly upstream: string | undefined;
  /** Of all events of it, and how many of these were pulls. */
  readonly times: number;
  readonly pulls: number;
  /** Epoch ms. */
  readonly firstAt: number;
  readonly lastAt: number;
  /** Since when it is known to be over; undefined where that is not known. */
  readonly overAt: number | undefined;
  /** Newest first. */
  readonly newest: readonly ToldEvent[];
};

/** Kinds that tell of failures. */
const FAILURES: readonly EventKind[] = [
  "pull-failed",
  "fill-failed",
  "digest-mismatch",
  "upstream-down",
  "upstream-limited",
  "job-ended",
];

/** What tells that a cause is over. That an upstream answers again does not say so of a limit: that may be on one repository alone. */
const ENDS = { "upstream-up": "upstream-unavailable", "upstream-online": "set-offline" } as const;

/** Of each kind so many are looked at; as many are kept of one, roughly. */
const MOST_LOOKED_AT = 2_000;
const MOST_SHOWN = 5;

type Parts = { readonly events: Pick<Events, "past">; readonly clock: Clock };

/** Since `since` (epoch ms), the cause that was seen last first. Others have their turn meanwhile. Throws what the database throws. */
export async function troublesSince({ events, clock }: Parts, since: number): Promise<TroubleGroup[]> {
  const slices = new Slices(clock);
  const groups = new Map<string, ToldEvent[]>();
  const find = async (kind: EventKind) => {
    const found = events.past({ kind, limit: MOST_LOOKED_AT }).filter(({ at }) => at >= since);
    await slices.breathe();
    return found;
  };
  for (const kind of FAILURES)
    for (const event of (await find(kind)).filter(isFailure)) {
      const key = keyOf(causeOf(event), upstreamOf(event));
      const known = groups.get(key);
      if (known === undefined) groups.set(key, [event]);
      else known.push(event);
    }
  const ends = new Map<string, number>();
  for (const kind of ["upstream-up", "upstream-online"] as const)
    for (const event of (await find(kind)).reverse())
      ends.set(keyOf(ENDS[kind], upstreamOf(event)), event.at);
  const told = [...groups].map(([key, of]) => groupOf(of, ends.get(key)));
  return told.sort((a, b) => b.lastAt - a.lastAt);
}

function groupOf(found: readonly ToldEvent[], endedAt: number | undefined): TroubleGroup {
  const newest = [...found].sort((a, b) => b.id - a.id);
  const [last] = newest as [ToldEvent, ...ToldEvent[]];
  const cause = causeOf(last);
  const upstream = isOfUpstream(cause) ? upstreamOf(last) : undefined;
  const lastAt = Math.max(...newest.map(({ at }) => at));
  return {
    cause,
    upstream,
    ...adviceOn(cause, upstream),
    times: newest.length,
    pulls: newest.filter(({ kind }) => kind === "pull-failed").length,
    firstAt: Math.min(...newest.map(({ at }) => at)),
    lastAt,
    overAt: endedAt !== undefined && endedAt >= lastAt ? endedAt : undefined,
    newest: newest.slice(0, MOST_SHOWN),
  };
}

function isFailure({ kind, facts }: ToldEvent): boolean {
  return kind !== "job-ended" || facts.state === "failed";
}

function causeOf({ facts }: ToldEvent): Cause {
  return causeIn(facts, isCause);
}

function upstreamOf({ facts }: ToldEvent): string | undefined {
  return typeof facts.upstream === "string" ? facts.upstream : undefined;
}

function keyOf(cause: Cause, upstream: string | undefined): string {
  return isOfUpstream(cause) && upstream !== undefined ? `${cause}\n${upstream}` : cause;
}
