/**
 * Owns what the certificates of the authority say, and the only use of the library that writes them. It keeps nothing and reads no clock: keys,
 * hosts and times are given to it.
 */
import "./reflection.ts";
import { createHash, createPublicKey, type KeyObject } from "node:crypto";
import { isIP, isIPv4 } from "node:net";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  Extension,
  GeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { decodeNameConstraints, encodeNameConstraints } from "./name-constraints.ts";

/** From when until when, epoch ms. */
export type Validity = { readonly from: number; readonly until: number };

const KEY_KIND = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNING = { name: "ECDSA", hash: "SHA-256" } as const;
const NAME_CONSTRAINTS = "2.5.29.30";

/**
 * The certificate of the authority itself, PEM. It can sign for `hosts` and nothing else, whoever gets hold of its key: its name constraints are
 * critical, it signs no other authority, and what it signs is good for servers of TLS only.
 */
export async function authorityCertificate(
  key: KeyObject,
  hosts: readonly string[],
  { from, until }: Validity,
): Promise<string> {
  const publicKey = publicKeyOf(key);
  const name = authorityName(key);
  const certificate = await X509CertificateGenerator.create({
    subject: name,
    issuer: name,
    notBefore: new Date(from),
    notAfter: new Date(until),
    publicKey,
    signingKey: signingKeyOf(key),
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new Extension(NAME_CONSTRAINTS, true, constraintsFor(hosts)),
      await SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
  return pemOf(certificate);
}

/** A server's certificate for `host`, PEM, signed by the authority's `key`. Its subject names no host: clients look at the other name alone. */
export async function leafCertificate(
  key: KeyObject,
  leafKey: KeyObject,
  host: string,
  { from, until }: Validity,
): Promise<string> {
  const certificate = await X509CertificateGenerator.create({
    subject: "O=Granary",
    issuer: authorityName(key),
    notBefore: new Date(from),
    notAfter: new Date(until),
    publicKey: publicKeyOf(leafKey),
    signingKey: signingKeyOf(key),
    signingAlgorithm: SIGNING,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension([{ type: isIP(host) === 0 ? "dns" : "ip", value: host }]),
      // By the key alone: a certificate that was made anew by the same key has another serial number.
      await AuthorityKeyIdentifierExtension.create(publicKeyOf(key)),
    ],
  });
  return pemOf(certificate);
}

/** Whether `certificate` (PEM) permits exactly `hosts`. */
export function permitsExactly(certificate: string, hosts: readonly string[]): boolean {
  const value = constraintsIn(certificate);
  return value !== undefined && Buffer.from(value).equals(constraintsFor(hosts));
}

/** The hosts that `certificate` (PEM) may be used to sign for, sorted; none where it has no name constraints. */
export function permittedHosts(certificate: string): string[] {
  const value = constraintsIn(certificate);
  if (value === undefined) return [];
  const names = decodeNameConstraints(new Uint8Array(value)).permitted;
  return names.map((name) => new GeneralName(new Uint8Array(name)).value.replace(/\/\d+$/, "")).sort();
}

function constraintsIn(certificate: string): ArrayBuffer | undefined {
  return new X509Certificate(certificate).getExtension(NAME_CONSTRAINTS)?.value;
}

/**
 * A name permits itself and all names below it: RFC 5280 knows no other form. Of a kind of which nothing is permitted everything would be
 * allowed, so that kind is excluded as a whole: an empty name stands for all names, a mask of no bits for all addresses.
 */
function constraintsFor(hosts: readonly string[]): Uint8Array<ArrayBuffer> {
  const addresses = hosts.filter((host) => isIP(host) !== 0);
  const names = hosts.filter((host) => isIP(host) === 0);
  const permitted = [
    ...names.map((name) => new GeneralName("dns", name)),
    ...addresses.map((address) => new GeneralName("ip", `${address}/${isIPv4(address) ? 32 : 128}`)),
  ];
  // The two kinds of addresses are one kind of name: where one is permitted, the other is not excluded but permitted by nothing.
  const excluded = [
    ...(names.length > 0 ? [] : [new GeneralName("dns", "")]),
    ...(addresses.length > 0 ? [] : [new GeneralName("ip", "0.0.0.0/0"), new GeneralName("ip", "::/0")]),
  ];
  const encoded = (each: GeneralName) => new Uint8Array(each.rawData);
  return new Uint8Array(
    encodeNameConstraints({ permitted: permitted.map(encoded), excluded: excluded.map(encoded) }),
  );
}

/** With a few digits of the key, so that people can tell one authority from another in a list of trusted ones. */
function authorityName(key: KeyObject): string {
  const der = createPublicKey(key).export({ type: "spki", format: "der" });
  const digits = createHash("sha256").update(der).digest("hex").slice(0, 8);
  return `CN=Granary authority ${digits}, O=Granary`;
}

function publicKeyOf(key: KeyObject) {
  return createPublicKey(key).toCryptoKey(KEY_KIND, true, ["verify"]);
}

function signingKeyOf(key: KeyObject) {
  return key.toCryptoKey(KEY_KIND, false, ["sign"]);
}

function pemOf(certificate: X509Certificate): string {
  return `${certificate.toString("pem").trimEnd()}\n`;
}
