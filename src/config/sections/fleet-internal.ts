/**
 * Owns the section `fleet.internal` of the configuration: the listener by which nodes read from each other, and how they know each other. One
 * that lets in whoever reaches it cannot be configured.
 */
import { z } from "zod";
import { GranaryError } from "../../errors.ts";
import { passwordFrom, readCertificates, readListenerTls } from "../files.ts";
import type { NamedFiles } from "../named-files.ts";
import type { InternalSettings } from "../settings.ts";

const DEFAULT_PORT = 5081;
const SHORTEST_SECRET = 32;

/** A name, an IPv4 address or an IPv6 address in brackets, and perhaps a port. */
const PLACE = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(\d{1,5}))?$/;

export const internalSection = z
  .strictObject({
    port: z.int().min(0).max(65_535).optional().describe("TCP port."),
    host: z.string().min(1).optional().describe("Address to listen on; all of them when left out."),
    address: z
      .string()
      .refine(isPlace, { error: "expected HOST or HOST:PORT, such as node-1.lab or 10.0.0.7:5081" })
      .optional()
      .describe(
        "HOST or HOST:PORT by which the other nodes reach this one; the machine's host name and the port when left out.",
      ),
    secret: z
      .string()
      .optional()
      .describe(
        "What every node of the fleet must know, at least 32 characters; write it as $" + "{ENV_NAME}.",
      ),
    secretFile: z.string().optional().describe("A file that holds the secret."),
    certFile: z
      .string()
      .optional()
      .describe("PEM file with this node's certificate, for both sides of a connection between nodes."),
    keyFile: z.string().optional().describe("PEM file with the certificate's key."),
    caFile: z
      .string()
      .optional()
      .describe("PEM file with the authority that has signed all nodes' certificates."),
  })
  .describe("The listener by which nodes read from each other: by a secret, by certificates, or by both.");

type InternalFile = z.infer<typeof internalSection>;

export type TakenPort = { readonly key: string; readonly port: number; readonly host: string | undefined };

/** `taken`: where this process listens already. Throws `config-invalid`. */
export async function internalSettings(
  written: InternalFile,
  files: NamedFiles,
  taken: readonly TakenPort[],
): Promise<InternalSettings> {
  const { port = DEFAULT_PORT, host, address } = written;
  checkPort({ port, host }, taken);
  const secret = await secretOf(written, files);
  const tls = await tlsOf(written, files);
  if (secret === undefined && tls === undefined) {
    throw invalid(
      "",
      "nodes must know each other: give secret or secretFile (take one from `openssl rand -hex 32`, the same on each node), or certFile, keyFile and caFile",
    );
  }
  return { port, host, address, secret, tls };
}

function isPlace(text: string): boolean {
  const found = PLACE.exec(text);
  if (found === null) return false;
  const [, port] = found;
  return port === undefined || (Number(port) >= 1 && Number(port) <= 65_535);
}

function checkPort(
  { port, host }: Pick<InternalSettings, "port" | "host">,
  taken: readonly TakenPort[],
): void {
  const isSame = (other: TakenPort) =>
    other.port === port && (other.host === host || other.host === undefined || host === undefined);
  const found = port === 0 ? undefined : taken.find(isSame);
  if (found !== undefined) throw invalid(".port", `port ${port} is used by ${found.key}`);
}

async function secretOf(
  { secret, secretFile }: InternalFile,
  files: NamedFiles,
): Promise<string | undefined> {
  const found = await files.password(["fleet.internal", secret, secretFile], () =>
    passwordFrom("fleet.internal", { password: secret, passwordFile: secretFile }, "secret"),
  );
  if (found === undefined) return undefined;
  if (!/^[\x21-\x7e]*$/.test(found)) throw invalid(".secret", "a secret has no spaces and only ASCII in it");
  if (found.length >= SHORTEST_SECRET) return found;
  throw invalid(
    ".secret",
    `a secret has at least ${SHORTEST_SECRET} characters: take one from \`openssl rand -hex 32\``,
  );
}

async function tlsOf(
  { certFile, keyFile, caFile }: InternalFile,
  files: NamedFiles,
): Promise<InternalSettings["tls"]> {
  return await files.internalTls(["fleet.internal", certFile, keyFile, caFile], async () => {
    const named = [certFile, keyFile, caFile].filter((file) => file !== undefined);
    if (named.length === 0) return undefined;
    if (caFile === undefined || named.length < 3)
      throw invalid("", "certFile, keyFile and caFile go together");
    const pair = await readListenerTls({ certFile, keyFile }, "fleet.internal");
    const ca = await readCertificates(caFile, "fleet.internal.caFile");
    return pair === undefined ? undefined : { ...pair, ca };
  });
}

function invalid(key: string, message: string): GranaryError {
  return new GranaryError("config-invalid", `fleet.internal${key}: ${message}.`);
}
