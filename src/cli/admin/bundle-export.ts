/**
 * Owns `granary bundle export`: the bundle comes from the Granary that is asked, and is written here, by whoever typed the command. Under its
 * name there is never a part of it.
 */
import { once } from "node:events";
import { Command, Option } from "commander";
import { unframed } from "../../bundle/frames.ts";
import { formatBytes } from "../../bytes/units.ts";
import { writeOutput } from "../../client/archives/create/output-file.ts";
import { GranaryError } from "../../errors.ts";
import { asObject } from "../../oci/json-value.ts";
import { misused } from "../exit-code.ts";
import { printJson, printLine, tell } from "../output.ts";
import { runShown, type VerbControls } from "../run-verb.ts";
import type { AdminClient, AdminQuestion, AnswerOf } from "./admin-client.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const errorSchema = async () => (await import("../../http/admin/admin-error.ts")).errorSchema;
const exportReportSchema = async () =>
  (await import("../../http/admin/routes/export-routes.ts")).exportReportSchema;

type ExportFlags = AdminFlags & {
  readonly platform?: readonly string[];
  readonly attestations?: boolean;
  readonly fetch: boolean;
};

type ExportReport = AnswerOf<typeof exportReportSchema>;

const STANDARD_OUTPUT = "-";

export function bundleExportCommand(): Command {
  const command = new Command("export")
    .description(
      "Write chosen images and models into one file, for a place without a line: an OCI layout in a tar, which skopeo, crane, Podman and docker load read too. The same contents give the same bytes. What is not here is fetched first.",
    )
    .argument("<file>", "where it is written; - is standard output")
    .argument("<pattern...>", "what it gets: alpine:3.22, ghcr.io/org/**, ollama:llama3.2")
    .addOption(
      new Option(
        "--platform <platform...>",
        "of images for several platforms: those to take, or all (default: those that are here)",
      ),
    )
    .addOption(
      new Option(
        "--attestations",
        "with all that is attested about the chosen images: provenance, SBOMs, signatures (without it, those signatures and referrers that are here)",
      ),
    )
    .addOption(new Option("--no-fetch", "fetch nothing: what is not wholly here is an error"))
    .action((file: string, patterns: readonly string[], flags: ExportFlags, self: Command) =>
      run(file, patterns, flags, self),
    );
  const examples = [
    "granary bundle export images.tar alpine:3.22 ollama:llama3.2 --platform linux/amd64",
    "granary bundle export - 'ghcr.io/org/**' --dry-run",
  ];
  return asAdminVerb(command, ["change", "quiet", "alone"], ...examples);
}

async function run(
  file: string,
  patterns: readonly string[],
  flags: ExportFlags,
  command: Command,
): Promise<void> {
  if (file === STANDARD_OUTPUT && flags.json === true && flags.dryRun !== true)
    throw misused("--json does not go with - : standard output is the bundle.");
  const report = await runShown(command, { doing: `exporting to ${file}` }, (controls) =>
    askServer(command, { alone: true }, (client) =>
      exportTo(file, bodyOf(patterns, flags), client, flags, controls),
    ),
  );
  if (report === undefined) return;
  if (flags.json === true) printJson(report);
  else
    for (const line of linesOf(report))
      (file === STANDARD_OUTPUT && flags.dryRun !== true ? tell : printLine)(line);
}

function bodyOf(patterns: readonly string[], { platform, attestations = false, fetch }: ExportFlags) {
  const platforms = platform?.includes("all") ? "all" : platform;
  return { patterns, ...(platforms !== undefined && { platforms }), attestations, fetch };
}

async function exportTo(
  file: string,
  body: unknown,
  client: AdminClient,
  { dryRun = false }: ExportFlags,
  { signal, onProgress }: VerbControls,
): Promise<ExportReport> {
  const question = { method: "POST", path: "/api/v1/bundles/export", body, signal } as const;
  const report = await client.ask(exportReportSchema, { ...question, query: { dryRun: true } });
  if (dryRun) return report;
  let done = 0;
  onProgress({ phase: "copy", done, total: report.size });
  const came = (bytes: number) => {
    done += bytes;
    onProgress({ phase: "copy", done: Math.min(done, report.size), total: report.size });
  };
  const chunks = wholeBundle(client, { ...question, query: { framed: true } }, came);
  if (file === STANDARD_OUTPUT) await writeOut(chunks);
  else
    await writeOutput(file, async (output) => {
      let at = 0;
      for await (const chunk of chunks) {
        await output.write(at, [chunk]);
        at += chunk.length;
      }
    });
  const { dryRun: _, ...told } = report;
  return told;
}

/** Throws the failure that ended it on the other side. */
async function* wholeBundle(
  client: AdminClient,
  question: AdminQuestion,
  came: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let end: unknown;
  const onEnd = (told: unknown) => {
    end = told;
  };
  for await (const chunk of unframed(client.bytes(question), onEnd)) {
    yield chunk;
    came(chunk.length);
  }
  const told = (await errorSchema()).safeParse(end);
  if (told.success) throw new GranaryError(told.data.error.code, told.data.error.message);
  // A good end says nothing.
  if (Object.keys(asObject(end) ?? { end }).length > 0) throw told.error;
}

async function writeOut(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) if (!process.stdout.write(chunk)) await once(process.stdout, "drain");
}

function linesOf({ names, size, toFetch, dryRun }: ExportReport): string[] {
  const lines = names.map(({ name, platforms, absent, size: bytes, toFetch: missing, attachedTo }) => {
    const shown = platforms.length > 0 ? `, ${platforms.join(", ")}` : "";
    const sparse = absent > 0 ? ` (${absent} more ${absent === 1 ? "is" : "are"} left out)` : "";
    const fetched = missing > 0 ? `, ${formatBytes(missing)} to fetch` : "";
    const attached = attachedTo === undefined ? "" : `, attached to ${attachedTo}`;
    return `${name}: ${formatBytes(bytes)}${shown}${sparse}${attached}${dryRun === true ? fetched : ""}`;
  });
  const sum =
    dryRun === true
      ? `${formatBytes(size)} in all, ${formatBytes(toFetch)} of it to fetch.`
      : `${formatBytes(size)} exported.`;
  return [...lines, sum];
}
