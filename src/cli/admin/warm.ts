/** Owns `granary warm`: images and models come in before clients ask for them; without any named, the warm-ups of the settings are listed. */
import { Command } from "commander";
import { formatBytes, formatDuration } from "../../bytes/units.ts";
import { readText } from "../../config/files.ts";
import type { Job } from "../../http/admin/routes/jobs-routes.ts";
import type { WarmAnswer, WarmUpsAnswer } from "../../http/admin/routes/warm-routes.ts";
import { timeText } from "../../schedule/time-text.ts";
import { misused } from "../exit-code.ts";
import { printJson, printLine, tell } from "../output.ts";
import type { AdminClient } from "./admin-client.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { counted } from "./content-words.ts";
import { CTRL_C, followJob, printDetached } from "./follow-job.ts";

const warmAnswerSchema = async () =>
  (await import("../../http/admin/routes/warm-routes.ts")).warmAnswerSchema;
const warmResultSchema = async () =>
  (await import("../../http/admin/routes/warm-routes.ts")).warmResultSchema;
const warmUpsSchema = async () => (await import("../../http/admin/routes/warm-routes.ts")).warmUpsSchema;

type WarmFlags = AdminFlags & {
  readonly platform?: readonly string[];
  readonly file?: string;
  readonly list?: string;
  readonly attestations?: boolean;
  readonly detach?: boolean;
};

const NOTES = `
A dry run says what would be fetched. To know sizes it fetches the manifests that are not here yet; they stay, and each counts as a pull
where the registry counts pulls (Docker Hub). The last tenth of such pulls is left to clients: a warm-up waits for more.
What fails is a line of the answer, and the exit code is 1; the rest comes in all the same.${CTRL_C}`;

export function warmCommand(): Command {
  const command = new Command("warm")
    .description(
      "Bring images and models in before clients ask for them; without any, list the warm-ups of the settings.",
    )
    .argument(
      "[reference...]",
      "alpine:3.22, alpine:3.* (each tag that matches), ghcr.io/org/app, name@sha256:... or ollama:llama3.2",
    )
    .option(
      "--platform <os/arch>",
      "only this platform, such as linux/arm64; give it again, or several with commas, for more (default: all that an image has)",
      (text: string, before: readonly string[] = []) => [...before, ...text.split(",")],
    )
    .option("--file <list>", "a file of references, one a line, with # before comments; - is standard input")
    .option("--list <name>", "a warm-up of the settings, now")
    .option("--attestations", "also what builders attest about images, which clients do not pull")
    .option("--detach", "print the number of the job and leave it running")
    .action(run);
  return asAdminVerb(
    command,
    ["change", "quiet"],
    "granary warm alpine:3.22 ollama:llama3.2 --platform linux/amd64,linux/arm64",
    "granary warm --file images.txt --dry-run",
  ).addHelpText("after", NOTES);
}

async function run(references: readonly string[], flags: WarmFlags, command: Command): Promise<void> {
  const { platform, file, list, attestations, dryRun } = flags;
  const isNamed = references.length > 0 || file !== undefined || list !== undefined;
  if (!isNamed) {
    if (platform !== undefined || dryRun === true || flags.detach === true)
      throw misused("Name an image or model to bring in, or a list by --list or --file.");
    const answer = await askServer(command, {}, (client) => client.get(warmUpsSchema, "/api/v1/warm"));
    return flags.json === true ? printJson(answer) : printWarmUps(answer);
  }
  const text = file === undefined ? undefined : await readText(file === "-" ? "/dev/stdin" : file, "--file");
  const body = { references, list, file: text, platforms: platform, attestations };
  const question = { method: "POST", path: "/api/v1/warm", query: { dryRun }, body } as const;
  await askServer(command, {}, async (client) => {
    const answer = await client.ask(warmAnswerSchema, question);
    if ("preview" in answer) {
      if (flags.json === true) printJson(answer);
      else printPreview(answer.preview);
      return;
    }
    if (flags.detach === true) return printDetached(answer.job, flags);
    await followed(client, answer.job, flags);
  });
}

async function followed(client: AdminClient, begun: Job, flags: WarmFlags): Promise<void> {
  const job = await followJob(client, begun, flags);
  if (job === undefined) return;
  const result = (await warmResultSchema()).safeParse(job.result).data;
  if (job.state !== "done" || result === undefined || result.counts.failed > 0) process.exitCode = 1;
  if (flags.json === true) return printJson(job);
  if (result !== undefined) {
    const { counts, bytes } = result;
    const failed = counts.failed === 0 ? "" : `, ${counts.failed} failed`;
    printLine(
      `${counts.brought} brought in (${formatBytes(bytes.brought)}), ${counts.here} here already (${formatBytes(bytes.here)})${failed}.`,
    );
    for (const { reference, outcome, reason } of result.lines)
      if (outcome === "failed") printLine(`  ${reference}: ${reason ?? "failed"}`);
  }
  if (job.state !== "done") tell(`granary: Job ${job.id} ${job.state}: ${job.reason ?? ""}`);
}

type Preview = Extract<WarmAnswer, { preview: unknown }>["preview"];

function printPreview({ lines, leftOut, bytes, pulls, budget }: Preview): void {
  for (const { reference, outcome, toFetch, here, reason } of lines) {
    const amount =
      outcome === "here"
        ? "here already"
        : `would fetch ${formatBytes(toFetch)}, ${formatBytes(here)} are here`;
    printLine(
      outcome === "failed"
        ? `${reference}: ${reason}`
        : `${reference}: ${amount}${reason === undefined ? "" : `. ${reason}`}`,
    );
  }
  if (leftOut > 0) printLine(`and ${leftOut} more`);
  printLine(`In all: ${formatBytes(bytes.toFetch)} to fetch, ${formatBytes(bytes.here)} here already.`);
  for (const { upstream, manifests, limit, remaining } of pulls)
    if (manifests > 0) {
      const budgetLeft =
        limit === undefined
          ? ""
          : `, each of which counts as a pull: ${remaining ?? 0} of ${limit} ${remaining === 1 ? "is" : "are"} left`;
      printLine(
        `${upstream}: ${manifests} ${manifests === 1 ? "manifest was" : "manifests were"} fetched to tell this, and ${manifests === 1 ? "stays" : "stay"}${budgetLeft}.`,
      );
    }
  if (bytes.toFetch + bytes.here > budget)
    printLine(
      `That is more than the cache may hold (${formatBytes(budget)}): what does not fit would be left out.`,
    );
}

function printWarmUps({ items }: WarmUpsAnswer): void {
  if (items.length === 0)
    printLine("The settings name no warm-ups; granary warm --help says how to bring something in now.");
  for (const { name, references, schedule, movedEveryMs, dueAt, last } of items) {
    const times =
      schedule ??
      (movedEveryMs === undefined
        ? "when somebody says so"
        : `when a tag moves, asked every ${formatDuration(movedEveryMs)}`);
    const next = dueAt === undefined ? "" : `, next ${timeText(dueAt)}`;
    const before =
      last === undefined ? "" : `, last ${timeText(last.startedAt)}: ${last.state} (job ${last.id})`;
    printLine(`${name}: ${counted(references.length, "reference")}, ${times}${next}${before}`);
  }
}
