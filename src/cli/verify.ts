/**
 * Owns `granary verify`: everything that is stored is read and compared with its digest, by the server that holds the storage directory
 * where one runs, else by this process.
 */
import { Command } from "commander";
import { formatBytes } from "../bytes/units.ts";
import type { Job } from "../http/admin/routes/jobs-routes.ts";
import type { VerifyAnswer } from "../http/admin/routes/verify-routes.ts";
import { type AdminFlags, asAdminVerb } from "./admin/admin-options.ts";
import { askServer } from "./admin/ask-server.ts";
import { CTRL_C, failureOf, followJob, printDetached } from "./admin/follow-job.ts";
import { exitCodeOf } from "./exit-code.ts";
import { printJson, printLine, tellFailure } from "./output.ts";

const verifyBegunSchema = async () =>
  (await import("../http/admin/routes/verify-routes.ts")).verifyBegunSchema;
const verifyReportSchema = async () =>
  (await import("../http/admin/routes/verify-routes.ts")).verifyReportSchema;

type VerifyFlags = AdminFlags & { readonly repair?: boolean; readonly detach?: boolean };

/** What is not sound and not repaired is what it is for a client: bytes that are not the digest's. */
const NOT_SOUND = 5;

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description(
      "Hash what is stored and say what is damaged, missing or unknown; beside a running server too, which then does it itself, as a job and never in the way of clients. Exit code 5 says that something is left that --repair would mend; with --dry-run nothing is mended, also with --repair.",
    )
    .argument("[pattern]", "only what this names, such as alpine:3.* or ghcr.io/org/**")
    .option(
      "--repair",
      'set aside what is damaged (in the folder "damaged"), forget what is gone, register what is sound and unknown; a running server fetches anew what is missing then',
    )
    .option("--detach", "print the number of the job and leave it running in the server")
    .action(run);
  return asAdminVerb(
    command,
    ["change", "alone", "quiet"],
    "granary verify --directory /srv/granary",
    "granary verify 'alpine:3.*' --repair",
  ).addHelpText("after", CTRL_C);
}

async function run(pattern: string | undefined, flags: VerifyFlags, command: Command): Promise<void> {
  const repair = flags.repair === true;
  const query = { repair, dryRun: flags.dryRun, pattern };
  const question = { method: "POST", path: "/api/v1/verify", query } as const;
  await askServer(command, { alone: flags.detach !== true }, async (client) => {
    const { job: begun } = await client.ask(verifyBegunSchema, question);
    if (flags.detach === true) return printDetached(begun, flags);
    const job = await followJob(client, begun, flags);
    if (job !== undefined) await printEnd(job, flags);
  });
}

async function printEnd(job: Job, flags: VerifyFlags): Promise<void> {
  const report = (await verifyReportSchema()).safeParse(job.result).data;
  if (report === undefined) {
    const failure = failureOf(job);
    tellFailure(failure);
    process.exitCode = exitCodeOf(failure);
    return;
  }
  if (flags.json === true) printJson({ ...report, ...(flags.dryRun === true && { dryRun: true }) });
  else for (const line of linesOf(report, flags)) printLine(line);
  process.exitCode = report.isSound ? 0 : NOT_SOUND;
}

type Finding = VerifyAnswer["findings"][number];
type FindingKind = Finding["kind"];

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

function linesOf(
  { blobs, bytes, manifests, findings, leftOut, fetched, isSound }: VerifyAnswer,
  flags: VerifyFlags,
): string[] {
  const sound = `Sound: ${blobs} ${blobs === 1 ? "blob" : "blobs"} (${formatBytes(bytes)}) and ${manifests} ${manifests === 1 ? "manifest" : "manifests"}.`;
  const lines = [...Map.groupBy(findings, ({ kind }) => kind)].flatMap(([kind, found]) =>
    linesOfKind(kind, found, flags.dryRun === true),
  );
  if (leftOut > 0) lines.push(`and ${leftOut} more ${leftOut === 1 ? "finding" : "findings"}`);
  if (fetched > 0) lines.push(`Fetched anew: ${fetched} ${fetched === 1 ? "blob" : "blobs"}.`);
  if (findings.filter(({ isRepaired }) => isRepaired).length > fetched)
    lines.push("What is not here any more is fetched again when somebody asks for it.");
  const end = endOf(isSound, flags);
  return [sound, ...lines, ...(end === undefined ? [] : [end])];
}

/** What a dry run found is what --repair would mend; without any switch that is told only where something is wrong. */
function endOf(isSound: boolean, { repair, dryRun }: VerifyFlags): string | undefined {
  if (dryRun === true)
    return isSound
      ? "Nothing was changed, and --repair would change nothing."
      : "Nothing was changed: without --dry-run, --repair does this.";
  if (isSound) return undefined;
  return repair === true ? "Not all could be repaired." : "Nothing was changed: --repair mends it.";
}

function linesOfKind(kind: FindingKind, found: readonly Finding[], dryRun: boolean): string[] {
  const [one, many, mended] = WORDS[kind];
  const count = found.filter(({ isRepaired }) => isRepaired).length;
  const outcome = outcomeOf(kind, mended, count, dryRun);
  return [
    `${found.length} ${found.length === 1 ? one : many}${outcome}:`,
    ...found.map(({ what, reason }) => `  ${what}${reason === undefined ? "" : ` (${reason})`}`),
  ];
}

function outcomeOf(kind: FindingKind, mended: string, count: number, dryRun: boolean): string {
  if (kind === "stranger") return `, ${mended}`;
  if (dryRun) return `, would be ${mended}`;
  return count > 0 ? `, ${count} ${mended}` : "";
}
