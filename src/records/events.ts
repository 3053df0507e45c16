/**
 * Owns the Events: whoever sees something worth telling a person tells it here, and whoever wants to hear of it listens here. Telling never
 * throws and never waits. It must not decide what is worth telling: those who tell do.
 */
import type { Clock } from "../observe/clock.ts";
import { boundedEvent, type EventFacts, type EventKind, type ToldEvent } from "./event.ts";

/** The part of Events that most of the program needs. */
export type EventTeller = Pick<Events, "tell">;

export type EventListener = (event: ToldEvent) => void;

/** Events in memory: who lost the stream for a moment catches up from them. */
const MOST_RECENT = 500;

export class Events {
  readonly #clock: Clock;
  readonly #listeners = new Set<EventListener>();
  #recent: ToldEvent[] = [];
  #lastId = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * Tells that something happened: `text` is one sentence for a person, `facts` say the same for programs. Neither may have a secret in it,
   * nor `text` the address of a client. Never throws.
   */
  tell(kind: EventKind, text: string, facts: EventFacts = {}): void {
    const event: ToldEvent = {
      id: ++this.#lastId,
      at: this.#clock.now(),
      kind,
      ...boundedEvent(text, facts),
    };
    this.#recent.push(event);
    if (this.#recent.length > 2 * MOST_RECENT) this.#recent = this.#recent.slice(-MOST_RECENT);
    for (const listener of this.#listeners) hear(listener, event);
  }

  /** The events after the one with `id`, oldest first, as far as they are in memory (the last few hundred). 0: all of them. */
  since(id: number): readonly ToldEvent[] {
    return this.#recent.filter((event) => event.id > id).slice(-MOST_RECENT);
  }

  /** `listener` hears each event from now on, as it is told. The returned function ends that. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }
}

/** A listener that fails must not end what is told about. */
function hear(listener: EventListener, event: ToldEvent): void {
  try {
    listener(event);
  } catch {
    // It hears the next one.
  }
}
