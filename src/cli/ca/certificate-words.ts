/** Owns how a certificate of the authority is told to people. Pure. */
import type { CertificateFacts } from "../../authority/certificate-facts.ts";
import type { Fact } from "../facts.ts";

/** What is to be compared with what another machine shows, and what the certificate is good for. */
export function certificateWords({ hosts, from, until, fingerprint }: CertificateFacts): Fact[] {
  return [
    ["SHA-256", fingerprint],
    ["Valid", `${dayOf(from)} to ${dayOf(until)}`],
    [
      "Hosts",
      hosts.length === 0 ? "all: it has no constraints, so Granary has not made it" : hosts.join(" "),
    ],
  ];
}

function dayOf(time: number): string {
  return new Date(time).toISOString().slice(0, "2026-11-30".length);
}
