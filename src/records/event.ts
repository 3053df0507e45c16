/** Owns what an Event is, and how large one may be: what clients and registries invent gets into it only in bounded parts. Pure. */

/** Everything that is told. A kind is added here before somebody tells it. */
const EVENT_KINDS = [
  "pull-begun",
  "pull-ended",
  "pull-failed",
  "fill-begun",
  "fill-paused",
  "fill-ended",
  "fill-failed",
  "tag-moved",
  "evicted",
  "digest-mismatch",
  "upstream-down",
  "upstream-up",
  "upstream-limited",
  "job-begun",
  "job-ended",
  "settings-reloaded",
] as const;

export type EventKind = (typeof EVENT_KINDS)[number];

type EventFact = string | number | boolean;

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

const MOST_TEXT = 600;
const MOST_FACTS = 16;
const MOST_FACT = 300;

/** `text` and `facts` in their bounds: longer ones are cut, further ones and undefined ones are left out. */
export function boundedEvent(text: string, facts: EventFacts): Pick<ToldEvent, "text" | "facts"> {
  const kept = Object.entries(facts).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, typeof value === "string" ? cut(value, MOST_FACT) : value] as const],
  );
  return { text: cut(text, MOST_TEXT), facts: Object.fromEntries(kept.slice(0, MOST_FACTS)) };
}

/** At most `most` characters; what was cut off is shown by an ellipsis. */
function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}
