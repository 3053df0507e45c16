/** Owns the settings as a list of the keys of the configuration file, for telling what has changed. Values may be secrets: they are compared, never shown. */
import type { ListenerSettings, Settings, UpstreamSettings } from "./settings.ts";

/** Each key with its value; sections that are not named here are taken apart one level deep. */
export function keysOfSettings(settings: Settings): ReadonlyMap<string, unknown> {
  const { listeners, upstreams, ...sections } = settings;
  const keys = new Map<string, unknown>();
  for (const [index, listener] of listeners.entries()) addListener(keys, `listeners.${index}`, listener);
  for (const upstream of upstreams) addUpstream(keys, `upstreams.${upstream.name}`, upstream);
  for (const [name, section] of Object.entries(sections)) addSection(keys, writtenKey(name), section);
  return keys;
}

function addListener(keys: Map<string, unknown>, path: string, { login, ...rest }: ListenerSettings): void {
  keys.set(path, rest);
  if (login !== undefined) keys.set(`${path}.login`, login);
}

/** What it is reached with, also the content of its files, is its own key; each of its numbers and switches has one below it. */
function addUpstream(keys: Map<string, unknown>, path: string, upstream: UpstreamSettings): void {
  const { policy, passage, tls, credentials, credentialsFrom, name: _, ...rest } = upstream;
  keys.set(path, { tls, credentials, credentialsFrom });
  for (const [key, value] of Object.entries({ ...rest, ...policy, ...passage }))
    keys.set(`${path}.${writtenKey(key)}`, value);
}

/** A section that is left out has no key: it is added when it comes, whatever is in it. */
function addSection(keys: Map<string, unknown>, path: string, section: unknown): void {
  if (section === undefined) return;
  if (typeof section !== "object" || section === null || Array.isArray(section)) keys.set(path, section);
  else for (const [key, value] of Object.entries(section)) keys.set(`${path}.${writtenKey(key)}`, value);
}

/** Settings are named by their unit where they have one (`drainMs`), the keys of the file are not (`drain`). */
function writtenKey(name: string): string {
  return name.replace(/Ms$/, "");
}
