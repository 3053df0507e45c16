/** Owns what has changed between two settings, as the keys that a person would look for in the configuration file. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { SettingsChange } from "./reload-part.ts";

/** Each key of some settings with its value. The value of a key does not contain what other keys below it say. */
export type SettingsKeys = ReadonlyMap<string, unknown>;

/** In the order of the keys. What is below a key that was added or removed is not named beside it. */
export function changesBetween(before: SettingsKeys, after: SettingsKeys): readonly SettingsChange[] {
  const keys = [...new Set([...before.keys(), ...after.keys()])].sort();
  const changes = keys.flatMap((key) => changeOf(key, before, after));
  const whole = changes.filter(({ change }) => change !== "changed").map(({ key }) => key);
  return changes.filter(({ key }) => !whole.some((other) => key.startsWith(`${other}.`)));
}

function changeOf(key: string, before: SettingsKeys, after: SettingsKeys): readonly SettingsChange[] {
  if (!before.has(key)) return [{ key, change: "added" }];
  if (!after.has(key)) return [{ key, change: "removed" }];
  return isDeepStrictEqual(before.get(key), after.get(key)) ? [] : [{ key, change: "changed" }];
}

/** True when `key` is one of `takes`, or below one. */
export function isTaken(key: string, takes: readonly string[]): boolean {
  return takes.some((taken) => key === taken || key.startsWith(`${taken}.`));
}
