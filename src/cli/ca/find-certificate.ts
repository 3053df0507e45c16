/**
 * Owns where a command gets the certificate of the proxy's authority from: the server that is named, else the storage directory, where its file is
 * read beside a running server, else a server that can be asked. It never touches the key.
 */
import type { Command } from "commander";
import { type CertificateFacts, certificateFacts } from "../../authority/certificate-facts.ts";
import { GranaryError } from "../../errors.ts";
import { authorityCertificatePath, readAuthorityCertificate } from "../../store/authority-files.ts";
import { layoutOf } from "../../store/layout.ts";
import type { AdminClient } from "../admin/admin-client.ts";
import type { AdminFlags } from "../admin/admin-options.ts";
import { askServer, isServerNamed, storageDirectory } from "../admin/ask-server.ts";

export type FoundCertificate = CertificateFacts & {
  /** PEM. */
  readonly certificate: string;
  /** A file, or the address of a Granary. */
  readonly place: string;
};

/** A certificate is one or two thousand bytes; with hundreds of hosts in it, a few ten thousand. */
const MOST_BYTES = 4 * 2 ** 20;

/** Throws `not-found` where that Granary has no authority, `upstream-unavailable` where nobody answers, `store-damaged`. */
export async function findCertificate(command: Command): Promise<FoundCertificate> {
  const flags = command.opts<AdminFlags>();
  const stored = isServerNamed(flags, process.env) ? undefined : await storedCertificate(flags);
  return stored ?? (await askServer(command, {}, servedCertificate));
}

async function storedCertificate(flags: AdminFlags): Promise<FoundCertificate | undefined> {
  const layout = layoutOf(await storageDirectory(flags));
  const certificate = await readAuthorityCertificate(layout);
  if (certificate === undefined) return undefined;
  return { ...readable(certificate, authorityCertificatePath(layout)), certificate };
}

async function servedCertificate(client: AdminClient): Promise<FoundCertificate> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of client.bytes({ method: "GET", path: "/ca.crt" })) {
    size += chunk.length;
    if (size > MOST_BYTES) throw unreadable(client.where);
    chunks.push(chunk);
  }
  const certificate = Buffer.concat(chunks).toString("utf8");
  return { ...readable(certificate, client.where), certificate };
}

function readable(pem: string, place: string) {
  const facts = certificateFacts(pem);
  if (facts === undefined) throw unreadable(place);
  return { ...facts, place };
}

function unreadable(place: string): GranaryError {
  const text = `What is at ${place} is no certificate that can be read: start that Granary once more, which makes it anew by its key.`;
  return new GranaryError("store-damaged", text, { target: place, saysWhatToDo: true });
}
