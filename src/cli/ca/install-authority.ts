/** Owns what `granary ca install` does: the certificate is found and checked, its files are written or brought back, and programs take them in. */
import { X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import type { Command as CommandLine } from "commander";
import { type CertificateFacts, certificateFacts } from "../../authority/certificate-facts.ts";
import { readCertificates } from "../../config/files.ts";
import { carryOut, isToDo } from "../../setup/carry-out.ts";
import type { PlannedFile } from "../../setup/plan-files.ts";
import { showFile } from "../../setup/show-files.ts";
import type { Command, TrustSystem } from "../../setup/trust/trust-plan.ts";
import { type PlannedTrust, planTrust, planTrustUndo, systemOf } from "../../setup/trust/trust-systems.ts";
import type { AdminFlags } from "../admin/admin-options.ts";
import { misused } from "../exit-code.ts";
import { formatFacts } from "../facts.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { checkedRegistry } from "../setup/mirror-address.ts";
import { certificateWords } from "./certificate-words.ts";
import { findCertificate } from "./find-certificate.ts";
import { findPrograms, runAll } from "./run-commands.ts";

export type InstallFlags = AdminFlags & {
  readonly system?: TrustSystem;
  readonly registry?: readonly string[];
  readonly file?: string;
  readonly root?: string;
  readonly undo?: boolean;
};

type Trusted = CertificateFacts & { readonly certificate: string };

/** Throws `config-invalid`, `path-invalid` where this user may not write, `conflict` for a program that is missing or fails, and what asking throws. */
export async function install(flags: InstallFlags, command: CommandLine): Promise<void> {
  const isUndo = flags.undo === true;
  if (isUndo && flags.file !== undefined) throw misused("--undo needs no certificate: leave --file out.");
  const root = resolve(flags.root ?? "/");
  const trusted = isUndo ? undefined : await trustedBy(flags, command);
  const system = flags.system ?? (await systemOf(root, process.platform)) ?? nobodyKnows();
  const plan =
    trusted === undefined ? await planTrustUndo(system, root) : await planFor(system, trusted, flags, root);
  const isDry = flags.dryRun === true;
  const commands = [...plan.before, ...plan.after];
  if (!isDry) await carryOutAll(plan, flags.root === undefined);
  const facts = trusted === undefined ? null : factsOf(trusted);
  if (flags.json === true)
    printJson({ system, ...jsonOf(plan, isDry), commands, certificate: facts, notes: plan.notes });
  else for (const line of linesOf(plan, facts, flags, commands)) printLine(line);
}

async function trustedBy({ file }: InstallFlags, command: CommandLine): Promise<Trusted> {
  const found = file === undefined ? await findCertificate(command) : await readTrusted(file);
  const first = new X509Certificate(found.certificate);
  if (!first.ca)
    throw misused("That certificate is one of a server, and not of an authority: nothing was changed.");
  return { ...found, certificate: first.toString() };
}

async function readTrusted(file: string): Promise<Trusted> {
  const certificate = await readCertificates(file, "--file");
  const facts = certificateFacts(certificate);
  if (facts === undefined) throw misused(`The file ${file} holds no certificate that can be read.`);
  return { ...facts, certificate };
}

/** Without ports, because a certificate has none: a registry with one is named by who wants it. */
async function planFor(
  system: TrustSystem,
  { certificate, hosts }: Trusted,
  { registry }: InstallFlags,
  root: string,
): Promise<PlannedTrust> {
  const isForSome = system === "docker" || system === "containerd";
  if (registry !== undefined && !isForSome)
    throw misused(
      "--registry goes with --system docker or containerd: a machine trusts it for all hosts that it is for.",
    );
  const registries = registry?.map(checkedRegistry) ?? hosts;
  if (isForSome && registries.length === 0)
    throw misused("The certificate does not say for which hosts it is: name them with --registry.");
  return await planTrust(system, { certificate, registries }, root);
}

/** Programs are looked for before anything is written. */
async function carryOutAll({ files, before, after }: PlannedTrust, isHere: boolean): Promise<void> {
  const programs = isHere
    ? await findPrograms([...before, ...after], process.env)
    : new Map<string, string>();
  if (isHere) await runAll(before, programs);
  await carryOut(files);
  if (isHere) await runAll(after, programs);
}

function factsOf({ hosts, from, until, fingerprint }: Trusted): CertificateFacts {
  return { hosts, from, until, fingerprint };
}

function jsonOf({ files }: PlannedTrust, isDry: boolean) {
  return { written: !isDry, ...(isDry && { dryRun: true }), files: files.map(showFile) };
}

function linesOf(
  plan: PlannedTrust,
  facts: CertificateFacts | null,
  { dryRun, root, undo }: InstallFlags,
  commands: readonly Command[],
): string[] {
  if (undo === true && plan.files.length === 0)
    return ["Nothing to undo: no certificate was installed there."];
  const isRun = dryRun !== true && root === undefined;
  return [
    ...(facts === null ? [] : [formatFacts(certificateWords(facts), columnsOfOutput())]),
    ...plan.files.map((file) => fileLine(file, dryRun === true)),
    ...commands.map(
      (each) => `${isRun ? "Ran" : dryRun === true ? "Would run" : "Run there"}: ${each.join(" ")}`,
    ),
    ...plan.notes,
    ...(dryRun === true ? ["Nothing was changed: this is a dry run."] : []),
  ];
}

function fileLine(file: PlannedFile, isDry: boolean): string {
  const { path, now, next } = file;
  if (!isToDo(file)) return `${path} has it already.`;
  const [would, did] =
    next === undefined ? ["remove", "Removed"] : now === undefined ? ["make", "Made"] : ["change", "Changed"];
  return isDry ? `Would ${would} ${path}.` : `${did} ${path}.`;
}

function nobodyKnows(): never {
  throw misused(
    "It is not known how this system is made to trust a certificate: name the nearest with --system, or put the text of granary ca show where its documentation says.",
  );
}
