/** Owns the Basic form of credentials (RFC 7617). The result is a secret: it goes into a header and nowhere else. */
import type { PasswordCredentials } from "../../oci/credentials.ts";

export function basicHeader({ username, password }: PasswordCredentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
