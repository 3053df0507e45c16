/** Owns what an Event is, and how large one may be: what clients and registries invent gets into it only in bounded parts. Pure. */

/** Everything that is told. A kind is added here before somebody tells it. */
export const EVENT_KINDS = [
  "pull-begun",
  "pull-ended",
  "pull-failed",
  "fill-begun",
  "fill-paused",
  "fill-ended",
  "fill-failed",
  "tag-moved",
  "held-back",
  "evicted",
  "removed",
  "digest-mismatch",
  "upstream-down",
  "upstream-up",
  "upstream-limited",
  "upstream-offline",
  "upstream-online",
  "job-begun",
  "job-ended",
  "settings-reloaded",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

export type EventFact = string | number | boolean;

/** What is told with the sentence, for programs. The fact `client` is the plain address of a client, and is kept only as long as addresses are. */
export type EventFacts = Readonly<Record<string, EventFact | undefined>>;

/** Something worth telling a person. */
export type ToldEvent = {
  /** Grows with each event, also over restarts. */
  readonly id: number;
  /** Epoch ms. */
  readonly at: number;
  readonly kind: EventKind;
  /** One sentence. It never has the address of a client in it. */
  readonly text: string;
  readonly facts: Readonly<Record<string, EventFact>>;
};

const MOST_TEXT = 400;
const MOST_FACT = 200;
/** Characters of all facts of one event together, as JSON. */
const MOST_FACTS = 1_000;

/** `text` and `facts` in their bounds: longer ones are cut, further ones and undefined ones are left out. */
export function boundedEvent(text: string, facts: EventFacts): Pick<ToldEvent, "text" | "facts"> {
  const kept: Record<string, EventFact> = {};
  let left = MOST_FACTS;
  for (const [name, value] of Object.entries(facts)) {
    if (value === undefined) continue;
    const short = typeof value === "string" ? cut(value, MOST_FACT) : value;
    left -= JSON.stringify([name, short]).length;
    if (left < 0) break;
    kept[name] = short;
  }
  return { text: cut(text, MOST_TEXT), facts: kept };
}

/** At most `most` characters; what was cut off is shown by an ellipsis. */
export function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
