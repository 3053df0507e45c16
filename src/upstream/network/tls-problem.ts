/** Owns the words for a TLS connection that could not be made, each with what to do about it. Pure. */

const UNKNOWN_AUTHORITY = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "CERT_UNTRUSTED",
  "INVALID_CA",
]);

/** What Node and OpenSSL say when the other side begins with something that is not TLS. */
const NOT_TLS = /^ERR_SSL_(?:WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|HTTPS_PROXY_REQUEST)$/;

const WANTS_CLIENT =
  /^ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED$|^ERR_SSL_(?:SSLV3|TLSV1)_ALERT_(?:BAD_CERTIFICATE|HANDSHAKE_FAILURE|UNKNOWN_CA|CERTIFICATE_UNKNOWN)$/;

/** A clause for "GET https://host/... failed: "; undefined when `code` is about something else. */
export function tlsProblem(code: string, { host, hostname }: URL): string | undefined {
  if (UNKNOWN_AUTHORITY.has(code)) {
    return `the certificate of ${host} is signed by an authority that is not known here (${code}); if it is your own, name its PEM file: caFile in the configuration, --ca-file on the command line, or add it to the system's certificates`;
  }
  if (code === "CERT_HAS_EXPIRED") {
    return `the certificate of ${host} has expired; renew it there, and check this machine's date`;
  }
  if (code === "CERT_NOT_YET_VALID") {
    return `the certificate of ${host} is not valid yet; check this machine's date`;
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `the certificate that came is not for ${hostname}; use a name that stands in it, or have it made for this one`;
  }
  if (NOT_TLS.test(code)) {
    return `${host} does not speak TLS; if it is meant to, check the port, else use http:// (--insecure on the command line, http:// in endpoints with internal: true)`;
  }
  if (WANTS_CLIENT.test(code)) {
    return `${host} refused the connection for want of a client certificate that it accepts (${code}); name one by clientCertFile and clientKeyFile`;
  }
  return undefined;
}
