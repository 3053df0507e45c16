/**
 * Owns `granary verify`: everything that is stored is read and compared with its digest, by the server that holds the storage directory
 * where one runs, else by this process.
 */
import { Command } from "commander";
import { formatBytes } from "../bytes/units.ts";
import type { Job } from "../http/admin/routes/jobs-routes.ts";
import {
  type VerifyReport,
  verifyBegunSchema,
  verifyReportSchema,
} from "../http/admin/routes/verify-routes.ts";
import { type AdminFlags, asAdminVerb } from "./admin/admin-options.ts";
import { askServer } from "./admin/ask-server.ts";
import { CTRL_C, failureOf, followJob, printDetached } from "./admin/follow-job.ts";
import { exitCodeOf } from "./exit-code.ts";
import { printJson, printLine, tellFailure } from "./output.ts";

type VerifyFlags = AdminFlags & { readonly repair?: boolean; readonly detach?: boolean };

/** What is not sound and not repaired is what it is for a client: bytes that are not the digest's. */
const NOT_SOUND = 5;

export function verifyCommand(): Command {
  const command = new Command("verify")
    .description(
      "Hash what is stored and say what is damaged, missing or unknown; beside a running server too, which then does it itself, as a job and never in the way of clients. Exit code 5 says that something is left that --repair would mend.",
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
    ["alone", "quiet"],
    "granary verify --directory /srv/granary",
    "granary verify 'alpine:3.*' --repair",
  ).addHelpText("after", CTRL_C);
}

async function run(pattern: string | undefined, flags: VerifyFlags, command: Command): Promise<void> {
  const repair = flags.repair === true;
  const question = { method: "POST", path: "/api/v1/verify", query: { repair, pattern } } as const;
  await askServer(command, { alone: flags.detach !== true }, async (client) => {
    const { job: begun } = await client.ask(verifyBegunSchema, question);
    if (flags.detach === true) return printDetached(begun, flags);
    const job = await followJob(client, begun, flags);
    if (job !== undefined) printEnd(job, flags);
  });
}

function printEnd(job: Job, { repair = false, json }: VerifyFlags): void {
  const report = verifyReportSchema.safeParse(job.result).data;
  if (report === undefined) {
    const failure = failureOf(job);
    tellFailure(failure);
    process.exitCode = exitCodeOf(failure);
    return;
  }
  if (json === true) printJson(report);
  else for (const line of linesOf(report, repair)) printLine(line);
  process.exitCode = report.isSound ? 0 : NOT_SOUND;
}

type Finding = VerifyReport["findings"][number];
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
  { blobs, bytes, manifests, findings, leftOut, fetched, isSound }: VerifyReport,
  repair: boolean,
): string[] {
  const sound = `Sound: ${blobs} ${blobs === 1 ? "blob" : "blobs"} (${formatBytes(bytes)}) and ${manifests} ${manifests === 1 ? "manifest" : "manifests"}.`;
  const lines = [...Map.groupBy(findings, ({ kind }) => kind)].flatMap(([kind, found]) =>
    linesOfKind(kind, found),
  );
  if (leftOut > 0) lines.push(`and ${leftOut} more ${leftOut === 1 ? "finding" : "findings"}`);
  if (fetched > 0) lines.push(`Fetched anew: ${fetched} ${fetched === 1 ? "blob" : "blobs"}.`);
  if (findings.filter(({ isRepaired }) => isRepaired).length > fetched)
    lines.push("What is not here any more is fetched again when somebody asks for it.");
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
