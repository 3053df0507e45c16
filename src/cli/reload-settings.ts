/**
 * Owns the reload of a running server: its settings are found and read as at the start, the options of its command line still win, every part
 * takes what it can, and one line of the log says what came of it.
 */
import { findConfig } from "../config/find-config.ts";
import { loadAgain } from "../config/load.ts";
import { NamedFiles } from "../config/named-files.ts";
import type { Settings } from "../config/settings.ts";
import { keysOfSettings } from "../config/settings-keys.ts";
import type { Environment } from "../environment.ts";
import { messageOf } from "../errors.ts";
import type { Log } from "../observe/log.ts";
import type { EventTeller } from "../records/events.ts";
import type { ReloadPart, ReloadReport } from "../reloading/reload-part.ts";
import { type ReadSettings, Reloads } from "../reloading/reloads.ts";
import { type ServeFlags, withFlags } from "./serve-flags.ts";

export type FoundSettings = ReadSettings<Settings> & {
  /** The file that they come from; undefined for the built-in ones. */
  readonly config: string | undefined;
};

/** Reads the settings of this command line, each time anew. It throws `config-invalid`. */
export function settingsReader(flags: ServeFlags, env: Environment): () => Promise<FoundSettings> {
  const files = new NamedFiles();
  return async () => {
    const config = await findConfig(flags.config, env);
    const { settings, problems } = await loadAgain(config, env, files);
    return { config, settings: withFlags(settings, flags), problems };
  };
}

export type SettingsReload = {
  /** See Reloads.run; the log has a line of what came of it, for SIGHUP, where nobody waits for an answer. */
  run(isTrial?: boolean): Promise<ReloadReport>;
  /** See Reloads.current. */
  current(): { readonly settings: Settings; readonly needRestart: ReloadReport["needRestart"] };
};

export function settingsReload(
  started: Settings,
  read: () => Promise<FoundSettings>,
  parts: readonly ReloadPart<Settings>[],
  { log, events }: { readonly log: Log; readonly events: EventTeller },
): SettingsReload {
  const reloads = new Reloads({ started, read, parts, keysOf: keysOfSettings });
  return {
    current: () => reloads.current,
    run: async (isTrial = false) => {
      if (isTrial) return await reloads.run(true);
      try {
        const report = await reloads.run();
        tell(report, log);
        events.tell("settings-reloaded", sentenceOf(report), { changes: report.applied.length });
        return report;
      } catch (error) {
        log.error({ reason: messageOf(error) }, "the settings cannot be used: nothing was changed");
        throw error;
      }
    },
  };
}

function sentenceOf({ applied, needRestart }: ReloadReport): string {
  const words = applied.length === 0 ? "nothing has changed" : `now in use: ${listOf(applied)}`;
  const rest = needRestart.length === 0 ? "" : `; after a restart: ${listOf(needRestart)}`;
  return `The settings were read again: ${words}${rest}.`;
}

const MOST_NAMED = 10;

function listOf(changes: ReloadReport["applied"]): string {
  const named = changes.slice(0, MOST_NAMED).map(({ key }) => key);
  const more = changes.length - named.length;
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}

function tell({ applied, needRestart, problems }: ReloadReport, log: Log): void {
  const keysOf = (changes: ReloadReport["applied"]) => changes.map(({ key }) => key);
  const facts = {
    renewed: keysOf(applied),
    ...(needRestart.length > 0 && { needRestart: keysOf(needRestart) }),
  };
  const sentence = "settings, certificates and password files were read again";
  const rest = needRestart.length > 0 ? "; some of what is new needs a restart" : "";
  if (problems.length === 0) log.info(facts, `${sentence}${rest}`);
  else log.warn({ ...facts, problems }, `${sentence}${rest}; what cannot be used is kept as it was`);
}
