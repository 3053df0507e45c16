/**
 * Owns `granary import` and `granary bundle import`: the source is read here, by whoever typed the command, and what the Granary lacks of it is
 * sent to that. It asks first what is lacking, so that nothing is sent twice.
 */
import { homedir } from "node:os";
import { resolve } from "node:path";
import { Command, Option } from "commander";
import type { ListedName } from "../../bundle/bundle-index.ts";
import { formatBytes } from "../../bytes/units.ts";
import type { ImportSource } from "../../client/imports/import-source.ts";
import { GranaryError } from "../../errors.ts";
import { type Digest, parseDigest } from "../../oci/digest.ts";
import { printJson, printLine } from "../output.ts";
import { runShown, type VerbControls } from "../run-verb.ts";
import type { AdminClient, AnswerOf } from "./admin-client.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { chosenNames, openImportSource, SOURCES } from "./import-source.ts";
import { renamedSource } from "./renamed-source.ts";

const importReportSchema = async () =>
  (await import("../../http/admin/routes/import-routes.ts")).importReportSchema;

type ImportFlags = AdminFlags & {
  readonly as?: string;
  readonly replace?: boolean;
  readonly rename?: readonly string[];
  readonly platform?: readonly string[];
};

type ImportReport = AnswerOf<typeof importReportSchema>;

export function importCommand(): Command {
  const command = new Command("import")
    .description(
      "Bring in what lies somewhere else: it is served from then on as if it had been pulled, also without a line. Every byte is checked; what is here already is not copied.",
    )
    .argument("<source>", "where it comes from; see below")
    .argument("[pattern...]", "only names that match; everything without one")
    .action((source: string, patterns: readonly string[], flags: ImportFlags, self: Command) =>
      run(source, patterns, flags, self),
    );
  const examples = [
    "granary import ollama:~/.ollama/models",
    "granary import docker-archive:app.tar --as docker.io/team/app:1 --dry-run",
  ];
  withImportOptions(command)
    .addOption(
      new Option(
        "--platform <platform...>",
        "of a registry: the platforms to bring in (default: this machine's)",
      ),
    )
    .addOption(new Option("--insecure", "of a registry: plain HTTP"));
  return asAdminVerb(command, ["change", "quiet", "alone"], ...examples).addHelpText("after", `\n${SOURCES}`);
}

/** The same for what is carried most. */
export function bundleImportCommand(): Command {
  const command = new Command("import")
    .description("Bring in a bundle that granary bundle export made, whole or some of its names.")
    .argument("<file>", "the bundle; - is standard input")
    .argument("[pattern...]", "only names that match; everything without one")
    .action((file: string, patterns: readonly string[], flags: ImportFlags, self: Command) =>
      run(`bundle:${file}`, patterns, flags, self),
    );
  const examples = [
    "granary bundle import images.tar",
    "granary bundle import images.tar 'alpine:3.*' --dry-run",
  ];
  return asAdminVerb(withImportOptions(command), ["change", "quiet", "alone"], ...examples);
}

function withImportOptions(command: Command): Command {
  return command
    .addOption(new Option("--as <name>", "the name that it gets here, where the source has one thing"))
    .addOption(
      new Option(
        "--rename <old=new...>",
        "names of one registry as those of another: granary.lab:11435=registry.ollama.ai for what was pulled through a Granary",
      ),
    )
    .addOption(new Option("--replace", "move tags that are here and stand for something else"));
}

async function run(
  text: string,
  patterns: readonly string[],
  flags: ImportFlags,
  command: Command,
): Promise<void> {
  const report = await runShown(command, { doing: `importing ${text}` }, async (controls) => {
    const opened = await openImportSource(text, flags, controls.signal);
    try {
      const source = renamedSource(opened, flags.rename ?? []);
      const names = await chosenNames(source, patterns);
      if (names.length === 0)
        throw new GranaryError("not-found", `${source.path} has nothing in it that could be imported.`);
      return await askServer(command, { alone: true }, (client) =>
        importFrom(source, names, client, { ...flags, from: placeOf(text, patterns) }, controls),
      );
    } finally {
      await opened.close();
    }
  });
  if (report === undefined) return;
  if (flags.json === true) printJson(report);
  else for (const line of linesOf(report)) printLine(line);
  process.exitCode = exitCodeFor(report);
}

/** What tells one import from another: the source, a file by its whole path, and what of it comes. Nothing of standard input is known. */
function placeOf(text: string, patterns: readonly string[]): string | undefined {
  const [, kind = "", path = text] = /^([a-z-]+:)?(.*)$/s.exec(text) ?? [];
  if (path === "-") return undefined;
  const isPath = kind !== "registry:" && !path.startsWith("//");
  const place = `${kind}${isPath ? resolve(path.replace(/^~(?=\/)/, homedir())) : path}`;
  return [place, ...patterns].join(" ").slice(0, 1_000);
}

async function importFrom(
  source: ImportSource,
  names: readonly ListedName[],
  client: AdminClient,
  flags: ImportFlags & { readonly from: string | undefined },
  { signal, onProgress }: VerbControls,
): Promise<ImportReport> {
  const { bundleOf } = await import("../../client/imports/bundle-of.ts");
  const query = { replace: flags.replace === true, as: flags.as, from: flags.from };
  const ask = (wanted: Iterable<Digest>, dryRun: boolean, came: (bytes: number) => void) =>
    client.ask(importReportSchema, {
      ...{ method: "POST", path: "/api/v1/bundles/import", signal },
      query: { ...query, dryRun },
      chunks: counted(bundleOf(source, names, wanted, signal), came),
    });
  const plan = await ask([], true, () => undefined);
  const wanted = await atHand(source, plan);
  if (flags.dryRun === true) return withLacking(plan, wanted);
  const total = [...wanted.values()].reduce((sum, size) => sum + size, 0);
  let done = 0;
  if (total > 0) onProgress({ phase: "copy", done, total });
  return await ask(wanted.keys(), false, (bytes) => {
    done += bytes;
    if (total > 0) onProgress({ phase: "copy", done: Math.min(done, total), total });
  });
}

/** What the source has of what is to be copied, with the sizes that it has there. */
async function atHand(source: ImportSource, { names }: ImportReport): Promise<ReadonlyMap<Digest, number>> {
  const found = new Map<Digest, number>();
  for (const { outcome, missing } of names) {
    if (outcome !== "imported") continue;
    for (const { digest: text } of missing) {
      const digest = parseDigest(text);
      const blob = found.has(digest) ? undefined : await source.blob(digest);
      if (blob !== undefined) found.set(digest, blob.size);
      await blob?.close();
    }
  }
  return found;
}

/** A dry run is given no blobs, and so does not know which of them the source lacks. */
function withLacking(report: ImportReport, wanted: ReadonlyMap<Digest, number>): ImportReport {
  const names = report.names.map((name) => {
    const lacking = name.missing.find(({ digest }) => !wanted.has(parseDigest(digest)));
    if (name.outcome !== "imported" || lacking === undefined) return name;
    const reason = `The source lacks ${lacking.digest}, and it is not here either, or not for every client.`;
    return { ...name, outcome: "incomplete" as const, reason };
  });
  return { ...report, names };
}

async function* counted(
  chunks: AsyncIterable<Uint8Array>,
  came: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    yield chunk;
    came(chunk.length);
  }
}

const WORDS: Readonly<Record<ImportReport["names"][number]["outcome"], string>> = {
  imported: "imported",
  present: "here already",
  kept: "left as it is",
  damaged: "NOT imported, damaged",
  incomplete: "NOT imported, incomplete",
  refused: "NOT imported",
};

function linesOf({ names, copied, present, damaged, dryRun }: ImportReport): string[] {
  const lines = names.map(({ name, outcome, reason, before, absent }) => {
    const moved = outcome === "imported" && before !== undefined ? `, was ${before}` : "";
    const sparse = outcome === "imported" && absent > 0 ? `, without ${absent} of its platforms` : "";
    const would = dryRun === true && outcome === "imported" ? "would be imported" : WORDS[outcome];
    return `${name}: ${would}${moved}${sparse}${reason === undefined ? "" : `. ${reason}`}`;
  });
  const toCopy = new Map(
    names
      .filter(({ outcome }) => outcome === "imported")
      .flatMap(({ missing }) => missing.map(({ digest, size }) => [digest, size] as const)),
  );
  const bytes = dryRun === true ? [...toCopy.values()].reduce((sum, size) => sum + size, 0) : copied;
  const verb = dryRun === true ? "to copy" : "copied";
  lines.push(`${formatBytes(bytes)} ${verb}, ${formatBytes(present)} here already.`);
  if (damaged.length > 0) lines.push(`Wrong bytes, of which nothing was kept: ${damaged.join(", ")}`);
  return lines;
}

/** 5 where bytes were wrong, 3 where something is missing, 1 where something else kept a name out. */
function exitCodeFor({ names }: ImportReport): number {
  const outcomes = new Set(names.map(({ outcome }) => outcome));
  if (outcomes.has("damaged")) return 5;
  if (outcomes.has("incomplete")) return 3;
  return outcomes.has("refused") || outcomes.has("kept") ? 1 : 0;
}
