/**
 * Owns which listeners there are, at the start and through changes of the settings: those that stay are not touched, new ones are opened
 * before old ones are closed, and where a port changes hands the old one is closed first. All or nothing: when one cannot be opened, the
 * same places are listened on as before.
 */
import { messageOf } from "../../errors.ts";
import { tryPlace } from "./listener.ts";
import type { KeptListener, ListenerEntry } from "./served-listener.ts";

/** What other settings make of the listeners; nobody has been told yet, and those that stay are as they were. */
export type ChangedListeners<Kept extends KeptListener> = {
  /** In the order of the settings. */
  readonly listeners: readonly Kept[];
  readonly opened: readonly Kept[];
  readonly closed: readonly Kept[];
};

type Plan<Kept extends KeptListener> = {
  /** Of each wanted entry the listener that can become it; undefined where one must be opened. */
  readonly kept: readonly (Kept | undefined)[];
  readonly gone: readonly Kept[];
};

export class ServedListeners<Kept extends KeptListener> {
  readonly #open: (entry: ListenerEntry) => Promise<Kept>;
  readonly #onTrouble: (sentence: string) => void;
  #current: readonly Kept[] = [];
  /** Taken away, while their last bodies are sent. */
  readonly #leaving = new Set<Promise<void>>();

  /** `open` throws `config-invalid`. `onTrouble` hears of a listener that is lost. */
  constructor(open: (entry: ListenerEntry) => Promise<Kept>, onTrouble: (sentence: string) => void) {
    this.#open = open;
    this.#onTrouble = onTrouble;
  }

  get current(): readonly Kept[] {
    return this.#current;
  }

  /** What `wanted` would open and close, in sentences. Throws `config-invalid` where a port is taken by another program. */
  async try(wanted: readonly ListenerEntry[]): Promise<readonly string[]> {
    const { kept, gone } = planOf(this.#current, wanted);
    const opened = wanted.filter((_, index) => kept[index] === undefined);
    const own = new Set(this.#current.map(({ port }) => port));
    for (const { port, host } of opened) if (!own.has(port)) await tryPlace(port, host);
    return notesOf(opened, gone);
  }

  /** Throws `config-invalid` where a port or a certificate cannot be had. `undo` or `use` follows. */
  async prepare(wanted: readonly ListenerEntry[]): Promise<ChangedListeners<Kept>> {
    const { kept, gone } = planOf(this.#current, wanted);
    const listeners: Kept[] = [];
    const change = { listeners, opened: [] as Kept[], closed: gone };
    try {
      for (const [index, entry] of wanted.entries()) {
        const known = kept[index];
        if (known === undefined) this.#makePlace(entry, gone);
        const listener = known ?? (await this.#open(entry));
        if (known === undefined) change.opened.push(listener);
        listeners.push(listener);
      }
      return change;
    } catch (error) {
      await this.undo(change);
      throw error;
    }
  }

  async undo({ opened, closed }: ChangedListeners<Kept>): Promise<void> {
    await Promise.all(opened.map((listener) => listener.close()));
    for (const listener of closed.filter(({ isClosed }) => isClosed)) await this.#reopen(listener);
  }

  use({ listeners, closed }: ChangedListeners<Kept>): void {
    this.#current = listeners;
    for (const listener of closed) this.#leave(listener);
  }

  /** Resolves when all are closed, also those that were taken away before. */
  async close(): Promise<void> {
    await Promise.all([...this.#current.map((listener) => listener.close()), ...this.#leaving]);
  }

  /** The system gives a port to one listener at a time, whatever the addresses. */
  #makePlace({ port }: ListenerEntry, gone: readonly Kept[]): void {
    for (const listener of gone) if (port !== 0 && listener.port === port) this.#leave(listener);
  }

  #leave(listener: Kept): void {
    const leaving: Promise<void> = listener.close().finally(() => this.#leaving.delete(leaving));
    this.#leaving.add(leaving);
  }

  async #reopen(listener: Kept): Promise<void> {
    try {
      const again = await this.#open(listener.entry);
      this.#current = this.#current.map((each) => (each === listener ? again : each));
    } catch (error) {
      this.#current = this.#current.filter((each) => each !== listener);
      this.#onTrouble(`port ${listener.port} is not listened on any more: ${messageOf(error)}`);
    }
  }
}

function planOf<Kept extends KeptListener>(
  current: readonly Kept[],
  wanted: readonly ListenerEntry[],
): Plan<Kept> {
  const left = new Set(current);
  const kept = wanted.map((entry) => {
    const found = [...left].find((listener) => listener.canBecome(entry));
    if (found !== undefined) left.delete(found);
    return found;
  });
  return { kept, gone: [...left] };
}

function notesOf(opened: readonly ListenerEntry[], gone: readonly KeptListener[]): readonly string[] {
  const places = opened.map(
    ({ port, host, upstream }) => `listens on ${host ?? "*"}:${port} for ${upstream}`,
  );
  return [...places, ...gone.map(({ url, upstream }) => `no longer listens on ${url} for ${upstream}`)];
}
