/** Owns what people are told of an authority's certificate: its hosts, its time, and the digits by which two copies are compared. */
import { X509Certificate } from "node:crypto";
import { permittedHosts } from "./certificates.ts";

export type CertificateFacts = {
  /** Names and addresses that it may sign for; none where it has no name constraints, as one that Granary did not make. */
  readonly hosts: readonly string[];
  /** Epoch ms. */
  readonly from: number;
  readonly until: number;
  /** SHA-256 over the certificate, in hexadecimal digits, as other programs show it: "AB:CD:...". */
  readonly fingerprint: string;
};

/** Of the first certificate in `pem`; undefined where that cannot be read. */
export function certificateFacts(pem: string): CertificateFacts | undefined {
  try {
    const { validFromDate, validToDate, fingerprint256: fingerprint } = new X509Certificate(pem);
    const hosts = permittedHosts(pem);
    return { hosts, from: validFromDate.getTime(), until: validToDate.getTime(), fingerprint };
  } catch {
    return undefined;
  }
}
