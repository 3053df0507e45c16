/**
 * Owns the reload of settings in a running process. They are read and checked as a whole, then every part prepares what it needs, and only
 * when all are ready do they change: bad settings change nothing. One reload at a time; whoever asks while one runs gets the one after it.
 * It knows no section: each part says what it takes, and what nobody takes is reported as needing a restart.
 */
import { messageOf } from "../errors.ts";
import { Semaphore } from "../waiting/semaphore.ts";
import { changesBetween, isTaken, type SettingsKeys } from "./changes.ts";
import type { PreparedPart, ReloadPart, ReloadReport, SettingsChange } from "./reload-part.ts";

export type ReadSettings<Settings> = {
  readonly settings: Settings;
  /** See ReloadReport. */
  readonly problems: readonly string[];
};

export type ReloadsOptions<Settings> = {
  /** The settings that the process was started with. */
  readonly started: Settings;
  /** Reads the settings anew. Throws `config-invalid` when they cannot be used. */
  readonly read: () => Promise<ReadSettings<Settings>>;
  readonly keysOf: (settings: Settings) => SettingsKeys;
  /** In the order in which they prepare and apply: what can fail in the most ways comes last. */
  readonly parts: readonly ReloadPart<Settings>[];
};

export class Reloads<Settings> {
  readonly #options: ReloadsOptions<Settings>;
  readonly #turns = new Semaphore(1);
  /** Keys with the values that are in use: those that need a restart keep their old ones. */
  #inUse: SettingsKeys;
  #settings: Settings;
  #needRestart: readonly SettingsChange[] = [];
  /** Runs that have not begun: everybody who asks meanwhile shares them. */
  readonly #waiting = new Map<boolean, Promise<ReloadReport>>();

  constructor(options: ReloadsOptions<Settings>) {
    this.#options = options;
    this.#inUse = options.keysOf(options.started);
    this.#settings = options.started;
  }

  /** The settings as they were read last and could be used; `needRestart` are those of them that are without effect until then. */
  get current(): { readonly settings: Settings; readonly needRestart: readonly SettingsChange[] } {
    return { settings: this.#settings, needRestart: this.#needRestart };
  }

  /** Throws `config-invalid` with the reason when nothing was changed. With `isTrial` nothing is changed in any case. */
  run(isTrial = false): Promise<ReloadReport> {
    const shared = this.#waiting.get(isTrial);
    if (shared !== undefined) return shared;
    const run = this.#turns.run("reload", async () => {
      // Not in the tick in which it was asked for: it is in the map by then.
      await Promise.resolve();
      this.#waiting.delete(isTrial);
      return await this.#run(isTrial);
    });
    this.#waiting.set(isTrial, run);
    return run;
  }

  async #run(isTrial: boolean): Promise<ReloadReport> {
    const { read, keysOf } = this.#options;
    const { settings, problems } = await read();
    const parts = this.#options.parts.filter((part) => part.canTake?.(settings) !== false);
    const wanted = keysOf(settings);
    const changes = changesBetween(this.#inUse, wanted);
    const takes = parts.flatMap((part) => part.takes);
    const applied = changes.filter(({ key }) => isTaken(key, takes));
    const needRestart = changes.filter(({ key }) => !isTaken(key, takes));
    const concerned = parts.filter((part) => applied.some(({ key }) => isTaken(key, part.takes)));
    const prepared = await prepareAll(concerned, settings, isTrial);
    const notes = prepared.flatMap((part) => part.notes ?? []);
    if (isTrial) await abandonAll(prepared);
    const failures = isTrial ? [] : applyAll(prepared);
    if (!isTrial) {
      this.#inUse = withoutChanges(wanted, this.#inUse, needRestart);
      this.#settings = settings;
      this.#needRestart = needRestart;
    }
    return { applied, needRestart, notes, problems: [...problems, ...failures] };
  }
}

/** Gives all `parts` other settings, whatever has changed. Throws `config-invalid`, and nothing has changed then. */
export async function renewParts<Settings>(
  parts: readonly ReloadPart<Settings>[],
  settings: Settings,
): Promise<void> {
  applyAll(await prepareAll(parts, settings, false));
}

/** All of them, or none. */
async function prepareAll<Settings>(
  parts: readonly ReloadPart<Settings>[],
  settings: Settings,
  isTrial: boolean,
): Promise<readonly PreparedPart[]> {
  const prepared: PreparedPart[] = [];
  try {
    for (const part of parts) prepared.push(await part.prepare(settings, isTrial));
    return prepared;
  } catch (error) {
    await abandonAll(prepared);
    throw error;
  }
}

async function abandonAll(prepared: readonly PreparedPart[]): Promise<void> {
  for (const part of prepared.toReversed()) await part.abandon?.();
}

/** In one tick, so that no request meets some of the new settings and some of the old. Gives what failed against its promise. */
function applyAll(prepared: readonly PreparedPart[]): readonly string[] {
  return prepared.flatMap((part) => {
    try {
      part.apply();
      return [];
    } catch (error) {
      return [messageOf(error)];
    }
  });
}

function withoutChanges(
  wanted: SettingsKeys,
  before: SettingsKeys,
  needRestart: readonly SettingsChange[],
): SettingsKeys {
  const kept = new Map(wanted);
  for (const { key } of needRestart) {
    const family = (name: string) => name === key || name.startsWith(`${key}.`);
    for (const name of [...kept.keys()].filter(family)) kept.delete(name);
    for (const [name, value] of before) if (family(name)) kept.set(name, value);
  }
  return kept;
}
