/**
 * Owns `granary verify`: everything that is stored is read and compared with its digest, by the server that holds the storage directory
 * where one runs, else by this process.
 */
import { resolve } from "node:path";
import { Command } from "commander";
import { formatBytes } from "../bytes/units.ts";
import { findConfig, USUAL_CONFIG } from "../config/config-file.ts";
import { loadStorage } from "../config/load.ts";
import { GranaryError, isGranaryError } from "../errors.ts";
import { askToVerify } from "../http/admin/ask-control.ts";
import type { Finding, FindingKind, VerifyOptions, VerifyReport } from "../mirror/upkeep/verify.ts";
import { verifyStorage } from "../open.ts";
import { layoutOf } from "../store/layout.ts";
import { withExamples } from "./help.ts";
import { printJson, printLine } from "./output.ts";
import { runShown } from "./run-verb.ts";

type VerifyFlags = {
  readonly repair?: boolean;
  readonly config?: string;
  readonly directory?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** What is not sound and not repaired is what it is for a client: bytes that are not the digest's. */
const NOT_SOUND = 5;

const EXITS = `
Exit codes: 0 all is sound, or has been repaired; 5 something is left that --repair would mend; 1 it could not be verified;
2 wrong usage, or no such storage directory; 130 after Ctrl-C.`;

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description(
      "Hash everything that is stored and say what is damaged, missing or unknown; beside a running server too, which then does it itself. Nothing is fetched.",
    )
    .option(
      "--repair",
      'set aside what is damaged (in the folder "damaged"), forget what is gone, register what is sound and unknown',
    )
    .option(
      "-c, --config <file>",
      `the configuration that says where it is stored (default: $GRANARY_CONFIG, or ${USUAL_CONFIG} if it is there)`,
    )
    .option("-d, --directory <directory>", "the storage directory; wins over the configuration")
    .option("--json", "print the report as one JSON value on standard output")
    .option("-q, --quiet", "no progress on standard error")
    .action(run);
  return withExamples(command, [
    "granary verify --directory /srv/granary",
    "granary verify --repair",
  ]).addHelpText("after", EXITS);
}

async function run(flags: VerifyFlags, command: Command): Promise<void> {
  const directory = flags.directory ?? (await configuredDirectory(flags));
  const repair = flags.repair === true;
  const report = await runShown(
    command,
    { doing: `verifying ${directory}` },
    ({ signal, onProgress: report }) => {
      const onProgress = (so: { done: number; total: number }) => report({ phase: "verify", ...so });
      return verify(resolve(directory), { repair, signal, onProgress });
    },
  );
  if (report === undefined) return;
  if (flags.json === true) printJson(report);
  else for (const line of linesOf(report, repair)) printLine(line);
  process.exitCode = report.isSound ? 0 : NOT_SOUND;
}

async function configuredDirectory({ config }: VerifyFlags): Promise<string> {
  return (await loadStorage(await findConfig(config, process.env), process.env)).directory;
}

async function verify(directory: string, options: VerifyOptions): Promise<VerifyReport> {
  const { socket } = layoutOf(directory);
  const asked = await askToVerify(socket, options);
  if (asked !== undefined) return asked;
  try {
    return await verifyStorage(directory, options);
  } catch (error) {
    throw isInUse(error) ? unasked(socket, error) : error;
  }
}

/** Another process holds the directory, and did not answer. */
function isInUse(error: unknown): boolean {
  return isGranaryError(error, "config-invalid") && error.facts.isInUse === true;
}

function unasked(socket: string, cause: unknown): GranaryError {
  const text = `The storage directory is held by a Granary that cannot be asked: nothing answers at ${socket}. Stop it, or start it again, and try once more.`;
  return new GranaryError("config-invalid", text, { target: socket, cause });
}

/** What each kind is called, one and many, and what repair makes of it. */
const WORDS: Record<FindingKind, readonly [one: string, many: string, repaired: string]> = {
  "damaged-blob": ["damaged blob", "damaged blobs", "set aside"],
  "wrong-size": ["blob of a wrong size", "blobs of a wrong size", "set aside"],
  unreadable: ["unreadable blob", "unreadable blobs", "set aside"],
  "damaged-manifest": ["damaged manifest", "damaged manifests", "forgotten"],
  missing: ["missing blob", "missing blobs", "forgotten"],
  unregistered: ["sound blob that was not registered", "sound blobs that were not registered", "registered"],
  stranger: ["other thing among the blobs", "other things among the blobs", "left alone"],
};

function linesOf({ blobs, bytes, manifests, findings, isSound }: VerifyReport, repair: boolean): string[] {
  const sound = `Sound: ${blobs} ${blobs === 1 ? "blob" : "blobs"} (${formatBytes(bytes)}) and ${manifests} ${manifests === 1 ? "manifest" : "manifests"}.`;
  const lines = [...Map.groupBy(findings, ({ kind }) => kind)].flatMap(([kind, found]) =>
    linesOfKind(kind, found),
  );
  if (findings.some(({ isRepaired }) => isRepaired))
    lines.push("What was set aside or forgotten is fetched again when somebody asks for it.");
  if (!isSound) lines.push(repair ? "Not all could be repaired." : "Nothing was changed: --repair mends it.");
  return [sound, ...lines];
}

function linesOfKind(kind: FindingKind, found: readonly Finding[]): string[] {
  const [one, many, mended] = WORDS[kind];
  const count = found.filter(({ isRepaired }) => isRepaired).length;
  const outcome = kind === "stranger" ? `, ${mended}` : count > 0 ? `, ${count} ${mended}` : "";
  return [
    `${found.length} ${found.length === 1 ? one : many}${outcome}:`,
    ...found.map(({ what, reason }) => `  ${what}${reason === undefined ? "" : ` (${reason})`}`),
  ];
}
