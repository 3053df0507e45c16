/** Owns the five numbers of traffic and their sum. Pure. */

export type TrafficSums = {
  /** Body bytes sent to clients. */
  served: number;
  /** Body bytes received from upstreams. */
  fetched: number;
  pulls: number;
  /** Answers from what was stored. */
  hits: number;
  /** Answers for which bytes had to come from an upstream. */
  misses: number;
};

export function noTraffic(): TrafficSums {
  return { served: 0, fetched: 0, pulls: 0, hits: 0, misses: 0 };
}

export function isNoTraffic({ served, fetched, pulls, hits, misses }: TrafficSums): boolean {
  return served === 0 && fetched === 0 && pulls === 0 && hits === 0 && misses === 0;
}

/** Adds `more` to `sums`. */
export function addTraffic(sums: TrafficSums, more: Readonly<TrafficSums>): void {
  sums.served += more.served;
  sums.fetched += more.fetched;
  sums.pulls += more.pulls;
  sums.hits += more.hits;
  sums.misses += more.misses;
}
