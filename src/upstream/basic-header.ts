/** Owns the Basic form of credentials (RFC 7617). The result is a secret: it goes into a header and nowhere else. */
import type { Credentials } from "./policy.ts";

export function basicHeader({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
