/** Owns the command line that begins the same job again. Pure. */
import { commandLine } from "../../shell.js";

/**
 * undefined where what it was begun with is not known here.
 * @param {{ readonly kind: string, readonly input?: any }} job
 * @returns {string | undefined}
 */
export function commandOfJob({ kind, input }) {
  const write = COMMANDS[kind];
  return write === undefined || input === undefined || input === null ? undefined : write(input);
}

/** @param {readonly string[]} platforms */
const platformsOf = (platforms = []) => platforms.flatMap((platform) => ["--platform", platform]);

/** @type {Readonly<Record<string, (input: any) => string | undefined>>} */
const COMMANDS = {
  warm: ({ list, references = [], platforms, attestations }) =>
    list !== undefined
      ? commandLine("granary", "warm", "--list", list)
      : commandLine(
          ...["granary", "warm", ...references, ...platformsOf(platforms)],
          attestations ? "--attestations" : "",
        ),
  verify: ({ pattern, repair }) => commandLine("granary", "verify", pattern, repair ? "--repair" : ""),
  remove: ({ pattern, unusedForMs, force }) =>
    commandLine(
      ...["granary", "remove", pattern],
      ...(unusedForMs === undefined ? [] : ["--unused-for", `${unusedForMs / 1000}s`]),
      force ? "--force" : "",
    ),
  evict: ({ free }) => commandLine("granary", "evict", "--free", `${free}B`),
  export: ({ patterns = [], platforms, attestations, fetch = true }) =>
    commandLine(
      ...["granary", "bundle", "export", "granary-bundle.tar", ...patterns],
      attestations ? "--attestations" : "",
      fetch ? "" : "--no-fetch",
      ...(platforms === undefined ? [] : ["--platform", ...[platforms].flat()]),
    ),
  // The file lies where it was sent from, and what of it was chosen is not told apart from its place.
  import: ({ from, as, replace }) =>
    from === undefined || /\s/.test(from)
      ? undefined
      : commandLine(
          "granary",
          ...(/^[a-z-]+:/.test(from) ? ["import"] : ["bundle", "import"]),
          ...[from, as && "--as", as, replace ? "--replace" : ""],
        ),
};
