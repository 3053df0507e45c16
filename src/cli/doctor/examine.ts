/** Owns what is looked at of a Granary by its settings: its storage, its listeners, and the upstreams that it is used for. */
import { isDeepStrictEqual } from "node:util";
import { loadSettings } from "../../config/load.ts";
import type { Settings, UpstreamSettings } from "../../config/settings.ts";
import { checkListeners } from "../../doctor/check-listeners.ts";
import { checkStorageSettings } from "../../doctor/check-storage.ts";
import { checkUpstream } from "../../doctor/check-upstream.ts";
import { type Observation, says } from "../../doctor/observation.ts";
import { openUpstream } from "../../open.ts";
import { misused } from "../exit-code.ts";

/** What a running server knows of itself. */
export type RunningServer = {
  /** What it keeps on the disk, bytes. */
  readonly used: number | undefined;
  /** Names of the upstreams that a person has set offline: they are not asked here either. */
  readonly offline: ReadonlySet<string>;
};

/** Throws `config-invalid` for a name in `named` that is no upstream. */
export async function examine(
  settings: Settings,
  { used, offline }: RunningServer,
  named?: readonly string[],
): Promise<Observation[]> {
  const upstreams = await upstreamsToAsk(settings, named);
  const parts = await Promise.all([
    checkListeners(settings.listeners),
    checkStorageSettings(settings.storage, used),
    ...upstreams.map((each) => (offline.has(each.name) ? [isOffline(each)] : askUpstream(each, settings))),
  ]);
  return parts.flat();
}

/** Those that were named; else those of the listeners, and those of which the settings say something. */
async function upstreamsToAsk(
  settings: Settings,
  named: readonly string[] | undefined,
): Promise<UpstreamSettings[]> {
  const { upstreams, listeners } = settings;
  if (named !== undefined) return named.map((name) => upstreamNamed(name, upstreams));
  const builtIn = (await loadSettings(undefined, {})).upstreams;
  const isUsed = ({ name }: UpstreamSettings) => listeners.some(({ upstream }) => upstream === name);
  const isSet = (each: UpstreamSettings) => !builtIn.some((other) => isDeepStrictEqual(other, each));
  return upstreams.filter((each) => isUsed(each) || isSet(each));
}

function upstreamNamed(wanted: string, upstreams: readonly UpstreamSettings[]): UpstreamSettings {
  const found = upstreams.find(({ name, aliases }) => name === wanted || aliases.includes(wanted));
  if (found !== undefined) return found;
  const known = upstreams.map(({ name }) => name).join(", ");
  throw misused(`The settings have no upstream "${wanted}"; known are ${known}.`);
}

async function askUpstream(configured: UpstreamSettings, settings: Settings): Promise<Observation[]> {
  const client = openUpstream(configured, settings);
  try {
    return await checkUpstream(client);
  } finally {
    await client.close();
  }
}

function isOffline({ name }: UpstreamSettings): Observation {
  const { note } = says(`upstream ${name}`);
  const text = "It is set offline: nothing is asked of it, and only what is stored is served.";
  return note(text, `granary offline off ${name} sets it back.`);
}
