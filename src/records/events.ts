/**
 * Owns the Events: whoever sees something worth telling a person tells it here, and whoever wants to hear of it listens here. Telling never
 * throws and never waits. It must not decide what is worth telling: those who tell do.
 */
import type { EventRow } from "../metadata/event-rows.ts";
import type { RecordRows } from "../metadata/record-rows.ts";
import type { Clock } from "../observe/clock.ts";
import { boundedEvent, type EventFact, type EventFacts, type EventKind, type ToldEvent } from "./event.ts";

/** The part of Events that most of the program needs. */
export type EventTeller = Pick<Events, "tell">;

export type EventListener = (event: ToldEvent) => void;

/** Events in memory: who lost the stream for a moment catches up from them. */
const MOST_RECENT = 500;
/** Events that wait to be written; the oldest are lost beyond it. */
const MOST_WAITING = 2_000;

export type EventParts = {
  /** Without them nothing is kept over a restart. */
  readonly rows?: Pick<RecordRows, "events"> | undefined;
  /** Of the last event of an earlier process. */
  readonly lastId?: number;
  readonly keepsClients?: () => boolean;
  /** Called when there is an event that is not written. */
  readonly onChange?: () => void;
};

export type PastEvents = { readonly before?: number; readonly kind?: EventKind; readonly limit: number };

export class Events {
  readonly #clock: Clock;
  readonly #parts: EventParts;
  readonly #listeners = new Set<EventListener>();
  #recent: ToldEvent[] = [];
  #unwritten: ToldEvent[] = [];
  #lastId: number;

  constructor(clock: Clock, parts: EventParts = {}) {
    this.#clock = clock;
    this.#parts = parts;
    this.#lastId = parts.lastId ?? 0;
  }

  /**
   * Tells that something happened: `text` is one sentence for a person, `facts` say the same for programs. Neither may have a secret in it,
   * nor `text` the address of a client. Never throws.
   */
  tell(kind: EventKind, text: string, facts: EventFacts = {}): void {
    const { keepsClients, onChange } = this.#parts;
    const kept = keepsClients?.() === false ? { ...facts, client: undefined } : facts;
    const event: ToldEvent = { id: ++this.#lastId, at: this.#clock.now(), kind, ...boundedEvent(text, kept) };
    this.#recent.push(event);
    if (this.#recent.length > 2 * MOST_RECENT) this.#recent = this.#recent.slice(-MOST_RECENT);
    if (this.#parts.rows !== undefined) this.#unwritten.push(event);
    if (this.#unwritten.length > MOST_WAITING) this.#unwritten.shift();
    for (const listener of this.#listeners) hear(listener, event);
    onChange?.();
  }

  /** The events after the one with `id`, oldest first, as far as they are in memory (the last few hundred). 0: all of them. */
  since(id: number): readonly ToldEvent[] {
    return this.#recent.filter((event) => event.id > id).slice(-MOST_RECENT);
  }

  /** Those that are kept, newest first. Throws what the database throws. */
  past({ before = Number.MAX_SAFE_INTEGER, kind, limit }: PastEvents): readonly ToldEvent[] {
    const { rows } = this.#parts;
    const isAsked = (event: ToldEvent) => event.id < before && (kind === undefined || event.kind === kind);
    const found = new Map((rows?.events({ before, kind, limit }) ?? []).map((row) => [row.id, eventOf(row)]));
    for (const event of rows === undefined ? this.#recent : this.#unwritten)
      if (isAsked(event)) found.set(event.id, event);
    const events = [...found.values()].sort((a, b) => b.id - a.id).slice(0, limit);
    // What could not be deleted from the database yet is nobody's to see.
    return this.#parts.keepsClients?.() === false ? events.map(withoutClient) : events;
  }

  /** How many are to be written. */
  get waiting(): number {
    return this.#unwritten.length;
  }

  /** What is to be written, at most `most`, the oldest first. */
  unwritten(most: number): readonly EventRow[] {
    return this.#unwritten.slice(0, most).map(rowOf);
  }

  /** The first `count` that `unwritten` gave in this turn were written, or can never be. */
  written(count: number): void {
    this.#unwritten = this.#unwritten.slice(count);
  }

  /** Takes the addresses of clients out of those in memory that are older than `before` (epoch ms). */
  forgetClients(before: number): void {
    const forget = (event: ToldEvent) => (event.at < before ? withoutClient(event) : event);
    this.#recent = this.#recent.map(forget);
    this.#unwritten = this.#unwritten.map(forget);
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

function withoutClient(event: ToldEvent): ToldEvent {
  const { client: _, ...facts } = event.facts;
  return { ...event, facts };
}

function rowOf({ id, at, kind, text, facts: { client, ...facts } }: ToldEvent): EventRow {
  const address = client === undefined ? null : String(client);
  return { id, at, kind, text, facts: JSON.stringify(facts), client: address };
}

function eventOf({ id, at, kind, text, facts, client }: EventRow): ToldEvent {
  const read = factsOf(facts);
  return { id, at, kind: kind as EventKind, text, facts: client === null ? read : { ...read, client } };
}

/** What others wrote into the database is no reason to fail. */
function factsOf(text: string): Record<string, EventFact> {
  try {
    return JSON.parse(text) as Record<string, EventFact>;
  } catch {
    return {};
  }
}
