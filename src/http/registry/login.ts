/**
 * Owns the check of a client's login where a listener asks for one (Basic, RFC 7617). Elsewhere nobody is asked for one
 * (docs/protocol.md#docker-logins), and what a client shows by itself is for the registry (docs/protocol.md#own-logins).
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { Login } from "../../oci/credentials.ts";
import { type Recipient, refuse } from "../answers/respond.ts";

/** The login of one listener. */
export class LoginCheck {
  readonly #expected: Buffer;

  constructor(login: Login) {
    this.#expected = fingerprintOf(login);
  }

  /** True when the value of the Authorization header is this login. It takes the same time for every wrong guess. */
  allows(authorization: string | undefined): boolean {
    const [, encoded = ""] = /^basic\s+([A-Za-z0-9+/=_-]+)\s*$/i.exec(authorization ?? "") ?? [];
    return timingSafeEqual(fingerprint(Buffer.from(encoded, "base64").toString("utf8")), this.#expected);
  }
}

/** The answer to a client without the right login. */
export function refuseClient(recipient: Recipient): void {
  const challenge = ["WWW-Authenticate", 'Basic realm="granary", charset="UTF-8"'];
  refuse(recipient, 401, ["UNAUTHORIZED", "log in to use this mirror"], challenge);
}

function fingerprintOf({ username, password }: Login): Buffer {
  return fingerprint(`${username}:${password}`);
}

/** Of one length, whatever the login: timingSafeEqual needs that. */
function fingerprint(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
