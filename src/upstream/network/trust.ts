/**
 * Owns what TLS connections to upstreams trust (the certificate authorities of Node, the system, NODE_EXTRA_CA_CERTS and the configuration)
 * and the client certificate that they show. It makes one SecureContext from PEM texts, for all connections.
 */
import { X509Certificate } from "node:crypto";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { GranaryError, messageOf } from "../../errors.ts";

/** PEM texts. */
export type TlsMaterial = { readonly ca?: string; readonly cert?: string; readonly key?: string };

let shared: SecureContext | undefined;

/** Throws `config-invalid` for a client certificate and key that do not go together. */
export function secureContextOf(tls: TlsMaterial | undefined): SecureContext {
  if (tls === undefined) {
    // Shared by all upstreams: parsing some three hundred certificates takes ten milliseconds.
    shared ??= createSecureContext({ ca: authorities() });
    return shared;
  }
  const { ca, ...client } = tls;
  checkKeyPair(client, "The client certificate");
  return createSecureContext({ ...client, ca: authorities(ca) });
}

/** Throws `config-invalid` unless certificate and key can be used together. `what` opens the sentence. */
export function checkKeyPair({ cert, key }: Omit<TlsMaterial, "ca">, what: string): void {
  if (cert === undefined || key === undefined) return;
  try {
    // For OpenSSL an empty text is none, which is no mistake there.
    if (cert === "" || key === "") throw new Error("one of the two files is empty");
    createSecureContext({ cert, key });
  } catch (error) {
    const message = `${what} and its key cannot be used together: ${messageOf(error)}.`;
    throw new GranaryError("config-invalid", message, { cause: error });
  }
}

/** Throws `config-invalid` unless `text` is PEM with at least one certificate. `what` names the file. */
export function checkCertificates(text: string, what: string): void {
  const blocks = text.match(/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]*-----END/g) ?? [];
  if (blocks.length === 0) {
    throw new GranaryError(
      "config-invalid",
      `${what} holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----"); one in DER form becomes PEM by \`openssl x509 -inform der -in FILE\`.`,
    );
  }
  for (const [index, block] of blocks.entries()) {
    try {
      new X509Certificate(`${block} CERTIFICATE-----\n`);
    } catch (error) {
      throw new GranaryError(
        "config-invalid",
        `${what}: certificate ${index + 1} of ${blocks.length} in it cannot be read: ${messageOf(error)}.`,
      );
    }
  }
}

/** A list that is given to Node replaces its own, so it must contain that. The same authority may be in several lists. */
function authorities(extra?: string): string[] {
  const all = [...getCACertificates("default"), ...getCACertificates("system")];
  return [...new Set(extra === undefined ? all : [...all, extra])];
}
