/**
 * Owns as whom a question is asked: the upstream's credentials, which may have to be looked up at the time of use. This is the only place
 * where that happens. It sends nothing and keeps nothing.
 */
import { type Identity, identityWith, identityWithout } from "../../oci/credentials.ts";
import { untilAborted } from "../../waiting/abort.ts";
import type { At } from "../network/caller.ts";
import type { Upstream } from "../policy.ts";
import { repositoryAt } from "../registry-url.ts";

/** Asks without credentials, whatever there are. */
export const ANONYMOUS: Identity = { credentials: undefined, says: "It was asked for without credentials." };

/** Throws what the look-up throws (`config-invalid`), and `aborted` at the end of `signal`. */
export async function identify(
  { credentials, name }: Pick<Upstream, "credentials" | "name">,
  repository: string,
  { endpoint, signal }: Pick<At, "endpoint" | "signal">,
): Promise<Identity> {
  if (credentials === undefined) return identityWithout(name);
  if (typeof credentials !== "function") return identityWith(credentials);
  const { host } = new URL(endpoint);
  // It may wait for a helper program, whose other callers go on waiting for it.
  const lookUp = credentials({ host, repository: repositoryAt(endpoint, repository) });
  return untilAborted(lookUp, signal, `the look-up of credentials for ${name}/${repository}`);
}
