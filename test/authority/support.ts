/** Owns what the tests of the authority share: a folder to have one in, and openssl as the judge of its certificates. */
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type OpenedAuthority, openAuthority } from "../../src/authority/authority.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { tempDirectory } from "../support/temp-directory.ts";

export type OpensslEnd = { readonly code: number; readonly text: string };

export function openssl(...args: readonly string[]): Promise<OpensslEnd> {
  return new Promise((resolve) => {
    execFile("openssl", [...args], (error, out, err) => {
      resolve({ code: error === null ? 0 : 1, text: `${out}${err}` });
    });
  });
}

export type AuthorityWorld = OpenedAuthority & {
  readonly directory: string;
  readonly caFile: string;
  readonly keyFile: string;
  /** What openssl says of a certificate (PEM) that a server at `host` shows. */
  verify(cert: string, host: string): Promise<OpensslEnd>;
};

export async function authorityWorld(hosts: readonly string[]): Promise<AuthorityWorld> {
  const directory = await tempDirectory();
  const opened = await openAuthority(directory, hosts, systemClock);
  const caFile = join(directory, "authority/ca.crt");
  const keyFile = join(directory, "authority/ca.key");
  const verify = async (cert: string, host: string) => {
    const file = join(directory, "leaf.pem");
    await writeFile(file, cert);
    const kind = /^[\d.]+$|:/.test(host) ? "-verify_ip" : "-verify_hostname";
    return await openssl(
      "verify",
      "-x509_strict",
      "-purpose",
      "sslserver",
      "-CAfile",
      caFile,
      kind,
      host,
      file,
    );
  };
  return { ...opened, directory, caFile, keyFile, verify };
}

/** A certificate for any host, made by who has stolen the key: no program of ours is asked for it. */
export async function forge({ directory, caFile, keyFile }: AuthorityWorld, name: string): Promise<string> {
  const [request, key, cert, extensions] = ["csr", "key", "crt", "cnf"].map((end) =>
    join(directory, `forged.${end}`),
  ) as [string, string, string, string];
  await writeFile(
    extensions,
    `subjectAltName=${name}\nextendedKeyUsage=serverAuth\nauthorityKeyIdentifier=keyid\nbasicConstraints=critical,CA:FALSE\n`,
  );
  await openssl(
    "req",
    "-new",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:P-256",
    "-nodes",
    "-keyout",
    key,
    "-out",
    request,
    "-subj",
    "/O=Thief",
  );
  await openssl(
    "x509",
    "-req",
    "-in",
    request,
    "-CA",
    caFile,
    "-CAkey",
    keyFile,
    "-days",
    "3",
    "-out",
    cert,
    "-extfile",
    extensions,
  );
  const { text } = await openssl("x509", "-in", cert);
  return text;
}
