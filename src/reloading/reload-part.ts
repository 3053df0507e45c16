/**
 * Owns what a part of the running process is to a reload: which keys of the settings it takes without a restart, and how. Data and contracts
 * only; the order of a reload is reloads.ts's.
 */

/** New settings, ready to be used. */
export type PreparedPart = {
  /** Sentences for people about what this part does that the keys alone do not tell: "opened http://127.0.0.1:5001 for docker.io". */
  readonly notes?: readonly string[];
  /** Uses them. Synchronous, and cannot fail: whatever can fail was tried in `prepare`. */
  apply(): void;
  /** They are not used after all: lets go of what `prepare` has opened. */
  abandon?(): Promise<void> | void;
};

export type ReloadPart<Settings> = {
  /** Keys that it applies, as in the configuration file; one stands for all below it: "upstreams", "storage.maxSize". */
  readonly takes: readonly string[];
  /** False where it can take nothing of these: they need a restart then. It can where this is left out. */
  canTake?(next: Settings): boolean;
  /**
   * Checks and opens what the new settings need, and changes nothing that is in use. Called only when one of its keys has changed. Throws
   * `config-invalid` where they cannot be used: then no part changes. With `isTrial` nothing will be applied, so nothing that clients could
   * notice is tried.
   */
  prepare(next: Settings, isTrial: boolean): Promise<PreparedPart> | PreparedPart;
};

/** A part whose new settings need no preparation: `renew` uses them, and cannot fail. */
export function renewing<Settings>(
  takes: readonly string[],
  renew: (next: Settings) => void,
): ReloadPart<Settings> {
  return { takes, prepare: (next) => ({ apply: () => renew(next) }) };
}

export type SettingsChange = {
  /** As in the configuration file: "upstreams.ghcr.io", "storage.maxSize". Never a value: it may be a secret. */
  readonly key: string;
  readonly change: "added" | "removed" | "changed";
};

export type ReloadReport = {
  /** In use from now on; with `isTrial`, what would be. */
  readonly applied: readonly SettingsChange[];
  /** In the settings, and without effect until a restart. */
  readonly needRestart: readonly SettingsChange[];
  readonly notes: readonly string[];
  /** Sentences: files (certificates, passwords) that cannot be used, whose last content stays in use. */
  readonly problems: readonly string[];
};
