/**
 * Owns the files that the configuration names: certificates, keys and passwords. They are read and checked at the start, and again on a
 * reload. A file that cannot be used is a `config-invalid` error with the key that names it.
 */
import { readFile } from "node:fs/promises";
import { readPasswordFile } from "../credentials/password-file.ts";
import { GranaryError, messageOf } from "../errors.ts";
import { checkCertificates, checkKeyPair, type TlsMaterial } from "../upstream/network/trust.ts";
import type { Upstream } from "../upstream/policy.ts";
import type { ListenerFiles, ListenerSettings } from "./settings.ts";

/** `path` is the upstream's key, "upstreams.docker.io". undefined when it names no file. */
export async function readUpstreamTls(
  { caFile, clientCertFile, clientKeyFile }: Pick<Upstream, "caFile" | "clientCertFile" | "clientKeyFile">,
  path: string,
): Promise<TlsMaterial | undefined> {
  if (caFile === undefined && clientCertFile === undefined && clientKeyFile === undefined) return undefined;
  if ((clientCertFile === undefined) !== (clientKeyFile === undefined)) {
    throw invalid(`${path}: clientCertFile and clientKeyFile go together.`);
  }
  const [ca, cert, key] = await Promise.all([
    caFile === undefined ? undefined : readCertificates(caFile, `${path}.caFile`),
    readOptional(clientCertFile, `${path}.clientCertFile`),
    readOptional(clientKeyFile, `${path}.clientKeyFile`),
  ]);
  const client = { ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
  checkKeyPair(client, `${path}: clientCertFile`);
  return { ...client, ...(ca !== undefined && { ca }) };
}

/** Certificate and key of a listener; undefined when it names none. */
export async function readListenerTls(
  { certFile, keyFile }: ListenerFiles,
  path: string,
): Promise<ListenerSettings["tls"]> {
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw invalid(`${path}: certFile and keyFile go together.`);
  }
  const [cert, key] = await Promise.all([
    readOptional(certFile, `${path}.certFile`),
    readOptional(keyFile, `${path}.keyFile`),
  ]);
  if (cert === undefined || key === undefined) return undefined;
  checkKeyPair({ cert, key }, `${path}: certFile`);
  return { cert, key };
}

/** The password, given as `password` or in `passwordFile`; undefined when there is neither. `name` is what it is called there. */
export async function passwordFrom(
  path: string,
  {
    password,
    passwordFile,
  }: { readonly password?: string | undefined; readonly passwordFile?: string | undefined },
  name: "password" | "token" | "secret" | "secretKey" | "database" = "password",
): Promise<string | undefined> {
  if (passwordFile === undefined) return password;
  if (password !== undefined) throw invalid(`${path}: give either ${name} or ${name}File, not both.`);
  return await readPasswordFile(passwordFile, `${path}.${name}File`);
}

/** The PEM text of certificate authorities. `path` is the key that names the file. */
export async function readCertificates(file: string, path: string): Promise<string> {
  const text = await readText(file, path);
  checkCertificates(text, `${path}: the file ${file}`);
  return text;
}

/** The text of `file`; `path` is the key that names it. */
export async function readText(file: string, path: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw invalid(`${path}: the file ${file} cannot be read: ${messageOf(error)}.`);
  }
}

function readOptional(file: string | undefined, path: string): Promise<string | undefined> {
  return file === undefined ? Promise.resolve(undefined) : readText(file, path);
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", message);
}
