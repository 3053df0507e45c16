/** Owns what `granary ca rotate` does: another key in a storage directory that no server holds meanwhile. */
import { rotateAuthority } from "../../authority/authority.ts";
import { type CertificateFacts, certificateFacts } from "../../authority/certificate-facts.ts";
import { upstreamHosts } from "../../authority/upstream-hosts.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import { lookAt } from "../../files/disk.ts";
import { foregroundClock } from "../../observe/clock.ts";
import { silentLog } from "../../observe/log.ts";
import { createMetrics } from "../../observe/metrics.ts";
import { openAtRest } from "../../open.ts";
import { authorityKeyPath, readAuthorityCertificate } from "../../store/authority-files.ts";
import { layoutOf } from "../../store/layout.ts";
import type { AdminFlags } from "../admin/admin-options.ts";
import { settingsFor } from "../admin/alone.ts";
import { storageDirectory } from "../admin/ask-server.ts";
import { isServed } from "../admin/ways.ts";
import { formatFacts } from "../facts.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { certificateWords } from "./certificate-words.ts";

export type RotateFlags = Pick<AdminFlags, "dryRun" | "config" | "directory" | "json">;

/** What there was is null where it could not be read; what there is, where nothing was done. */
type Rotated = { readonly before: CertificateFacts | null; readonly after: CertificateFacts | null };

/** Throws `conflict` while a server runs, `not-found` where there is no authority, `config-invalid`, `store-full`, `store-damaged`. */
export async function rotate(flags: RotateFlags): Promise<void> {
  const directory = await storageDirectory(flags);
  const rotated = await inStoppedDirectory(directory, flags, (hosts) =>
    rotateIn(directory, hosts, flags.dryRun === true),
  );
  if (flags.json === true) printJson({ ...rotated, ...(flags.dryRun === true && { dryRun: true }) });
  else for (const line of linesOf(rotated)) printLine(line);
}

/** The storage directory is opened for as long as it takes: that is its lock. */
async function inStoppedDirectory<T>(
  directory: string,
  flags: RotateFlags,
  work: (hosts: readonly string[]) => Promise<T>,
): Promise<T> {
  if (await isServed(layoutOf(directory).socket)) throw running(directory);
  const settings = await settingsFor(directory, flags);
  const observers = { log: silentLog, metrics: createMetrics(), clock: foregroundClock };
  const cache = await openAtRest(settings, observers).catch((error: unknown) => {
    throw isGranaryError(error) && error.facts.isInUse === true ? running(directory, error) : error;
  });
  try {
    return await work(upstreamHosts(settings.upstreams));
  } finally {
    await cache.close(0);
  }
}

async function rotateIn(directory: string, hosts: readonly string[], isDry: boolean): Promise<Rotated> {
  const layout = layoutOf(directory);
  const certificate = await readAuthorityCertificate(layout);
  const hasKey = (await lookAt(authorityKeyPath(layout))) !== undefined;
  if (!hasKey && certificate === undefined) throw none(directory);
  const before = certificateFacts(certificate ?? "") ?? null;
  if (isDry) return { before, after: null };
  const { certificate: made } = await rotateAuthority(directory, hosts, foregroundClock);
  return { before, after: certificateFacts(made) ?? null };
}

function linesOf({ before, after }: Rotated): string[] {
  const old = before === null ? "which cannot be read" : `SHA-256 ${before.fingerprint}`;
  if (after === null)
    return [
      `Would be replaced: the certificate ${old}.`,
      "Nothing was changed. Every client would have to trust the new one.",
    ];
  return [
    `Replaced: the certificate ${old}.`,
    formatFacts(certificateWords(after), columnsOfOutput()),
    "Every client must trust it now: granary ca install on each of them, or granary ca show for its text.",
  ];
}

function running(directory: string, cause?: unknown): GranaryError {
  const text = `A Granary runs in ${directory}, and goes on signing with the old key until it ends: stop it, run this again, and start it.`;
  return new GranaryError("conflict", text, { target: directory, cause, saysWhatToDo: true });
}

function none(directory: string): GranaryError {
  const text = `There is no authority in ${directory}: granary serve makes one there at its first start with a section proxy in its settings.`;
  return new GranaryError("not-found", text, { target: directory, saysWhatToDo: true });
}
