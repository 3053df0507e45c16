/** Owns the check of a client's login where a listener asks for one (Basic, RFC 7617). Without one nothing is ever read. */
import { createHash, timingSafeEqual } from "node:crypto";
import type { ServerResponse } from "node:http";
import { formatErrorBody } from "../../oci/error-body.ts";
import { respondJson } from "../answers/respond.ts";

export type Login = { readonly username: string; readonly password: string };

/** Makes the check; it takes as long whether a guess is near or far. */
export function createLoginCheck({
  username,
  password,
}: Login): (authorization: string | undefined) => boolean {
  const expected = fingerprint(`${username}:${password}`);
  return (authorization) => {
    const [, encoded = ""] = /^basic\s+([A-Za-z0-9+/=_-]+)\s*$/i.exec(authorization ?? "") ?? [];
    return timingSafeEqual(fingerprint(Buffer.from(encoded, "base64").toString("utf8")), expected);
  };
}

/** What a client without the right login hears. */
export function refuseClient(outgoing: ServerResponse): void {
  const challenge = ["WWW-Authenticate", 'Basic realm="granary", charset="UTF-8"'];
  respondJson(outgoing, 401, formatErrorBody("UNAUTHORIZED", "log in to use this mirror"), challenge);
}

/** Of one length, whatever the login: timingSafeEqual needs that. */
function fingerprint(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
