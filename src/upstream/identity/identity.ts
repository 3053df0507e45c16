/**
 * Owns who a question is asked as: the upstream's credentials, looked up at use time where they are a look-up. The one place
 * where they are resolved; it sends nothing and keeps nothing.
 */
import { GranaryError } from "../../errors.ts";
import { type Identity, identityWith, identityWithout } from "../../oci/credentials.ts";
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
  return unlessAborted(
    credentials({ host, repository: repositoryAt(endpoint, repository) }),
    signal,
    `${name}/${repository}`,
  );
}

/** A look-up may wait for a helper program; its other callers go on waiting for it. */
function unlessAborted<T>(waiting: Promise<T>, signal: AbortSignal, target: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      const message = `The look-up of credentials for ${target} was given up.`;
      reject(new GranaryError("aborted", message, { target }));
    };
    signal.addEventListener("abort", abort);
    if (signal.aborted) abort();
    waiting.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
