/**
 * Owns `granary verify`: everything that is stored is read and compared with its digest, by the server that holds the storage directory
 * where one runs, else by this process.
 */
import { Command } from "commander";
import { formatBytes } from "../bytes/units.ts";
import { GranaryError } from "../errors.ts";
import { type VerifyLine, verifyLineSchema } from "../http/admin/routes/verify-routes.ts";
import type { AdminClient } from "./admin/admin-client.ts";
import { asAdminVerb } from "./admin/admin-options.ts";
import { askServer } from "./admin/ask-server.ts";
import { printJson, printLine } from "./output.ts";
import { runShown, type VerbControls } from "./run-verb.ts";

type VerifyFlags = {
  readonly repair?: boolean;
  readonly json?: boolean;
};

/** What is not sound and not repaired is what it is for a client: bytes that are not the digest's. */
const NOT_SOUND = 5;

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description(
      "Hash everything that is stored and say what is damaged, missing or unknown; beside a running server too, which then does it itself. Nothing is fetched. Exit code 5 says that something is left that --repair would mend.",
    )
    .option(
      "--repair",
      'set aside what is damaged (in the folder "damaged"), forget what is gone, register what is sound and unknown',
    )
    .action(run);
  return asAdminVerb(
    command,
    ["alone", "quiet"],
    "granary verify --directory /srv/granary",
    "granary verify --repair",
  );
}

async function run(flags: VerifyFlags, command: Command): Promise<void> {
  const repair = flags.repair === true;
  const report = await runShown(command, { doing: "verifying what is stored" }, ({ signal, onProgress }) =>
    askServer(command, { alone: true }, (client) => verify(client, { repair, signal, onProgress })),
  );
  if (report === undefined) return;
  if (flags.json === true) printJson(report);
  else for (const line of linesOf(report, repair)) printLine(line);
  process.exitCode = report.isSound ? 0 : NOT_SOUND;
}

type VerifyReport = Extract<VerifyLine, { report: unknown }>["report"];
type Finding = VerifyReport["findings"][number];
type FindingKind = Finding["kind"];

type Verification = VerbControls & { readonly repair: boolean };

async function verify(
  client: AdminClient,
  { repair, signal, onProgress }: Verification,
): Promise<VerifyReport> {
  const question = { method: "POST", path: "/api/v1/verify", query: { repair }, signal } as const;
  for await (const line of client.lines(verifyLineSchema, question)) {
    if ("progress" in line) onProgress({ phase: "verify", ...line.progress });
    else if ("report" in line) return line.report;
    else throw new GranaryError(line.error.code, line.error.message);
  }
  const text = `The Granary at ${client.where} ended before the verification was done.`;
  throw new GranaryError("upstream-unavailable", text, { saysWhatToDo: true });
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
