/**
 * Owns the look-up of a login in the files that docker and podman write, at use time and in their order. Inside one file:
 * `credHelpers` of the registry, entries of a path in it, `credsStore`, the registry's own entry. It keeps no file's content.
 */
import { isDeepStrictEqual } from "node:util";
import type { Environment } from "../environment.ts";
import type { Clock } from "../observe/clock.ts";
import { type Credentials, type Identity, identityWith, identityWithout } from "../oci/credentials.ts";
import { asObject, textOf } from "../oci/json-value.ts";
import { canonicalHost, DOCKER_HUB } from "../oci/reference.ts";
import { type AuthFile, authFilePlaces, parseAuthEntry, readAuthFile } from "./auth-file.ts";
import { CredentialHelpers } from "./credential-helpers.ts";
import { type LoginAsk, type MatchingKey, matchingKeys } from "./login-names.ts";

export type LoginsOptions = {
  /** Says where the files are and where helpers are found; the helpers run in it. */
  readonly env: Environment;
  readonly clock: Clock;
  /** Longest run of a helper. */
  readonly timeoutMs?: number;
};

export interface Logins {
  /**
   * The first login for `ask`, or that there is none and where it was looked for. Throws `config-invalid` for a file, an entry or a
   * helper on the way there that cannot be used.
   */
  find(ask: LoginAsk): Promise<Identity>;
}

/** Docker's name for its Hub since the days of its first registry, in files and to helpers. */
const HUB_SERVER = "https://index.docker.io/v1/";

export function createLogins(options: LoginsOptions): Logins {
  const helpers = new CredentialHelpers(options);
  const find = async (ask: LoginAsk): Promise<Identity> => {
    const places = authFilePlaces(options.env);
    for (const place of places) {
      const file = await readAuthFile(place);
      const credentials = file && (await findInFile(file, place.shown, ask, helpers));
      if (credentials !== undefined) return renewable(identityWith(credentials), ask);
    }
    const [registry = ""] = ask.names;
    return identityWithout(
      registry,
      places.map(({ shown }) => shown),
    );
  };
  /** Files are read each time. A helper's answer is kept for a while, so after a refusal it is asked again, and the files are read again. */
  const renewable = (identity: Identity, ask: LoginAsk): Identity => ({
    ...identity,
    renew: async () => {
      helpers.forgetOld();
      // A file that cannot be read now must not replace the real error, which is that the login was refused.
      const found = await find(ask).catch(() => identity);
      return isDeepStrictEqual(found.credentials, identity.credentials) ? undefined : found;
    },
  });
  return { find };
}

async function findInFile(
  file: AuthFile,
  shown: string,
  ask: LoginAsk,
  helpers: CredentialHelpers,
): Promise<Credentials | undefined> {
  const keys = matchingKeys(Object.keys(file.auths), ask);
  // A helper is a whole registry's: a path in its key means nothing.
  const own = matchingKeys(Object.keys(file.credHelpers), ask).filter(({ isScoped }) => !isScoped);
  // Whoever names a helper for a registry, or an empty name, takes it out of the store (docker/cli cli/config/configfile).
  const store = own.length === 0 ? file.credsStore : undefined;
  return (
    (await fromCredHelpers(file, shown, own, helpers)) ??
    fromAuths(file, shown, keys, true) ??
    (store === undefined ? undefined : await fromCredsStore(store, shown, ask, helpers)) ??
    fromAuths(file, shown, keys, false)
  );
}

async function fromCredHelpers(
  { credHelpers }: AuthFile,
  shown: string,
  keys: readonly MatchingKey[],
  helpers: CredentialHelpers,
): Promise<Credentials | undefined> {
  for (const { key, host } of keys) {
    const helper = textOf(credHelpers[key]);
    if (helper === undefined) continue;
    const rule = `${shown} (credHelpers: ${key})`;
    for (const server of new Set([serverOf(host), key])) {
      const credentials = await helpers.get({ helper, server, rule });
      if (credentials !== undefined) return credentials;
    }
  }
  return undefined;
}

async function fromCredsStore(
  credsStore: string,
  shown: string,
  { names }: LoginAsk,
  helpers: CredentialHelpers,
): Promise<Credentials | undefined> {
  const rule = `${shown} (credsStore: ${credsStore})`;
  for (const server of new Set(names.map(serverOf))) {
    const credentials = await helpers.get({ helper: credsStore, server, rule });
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

function fromAuths(
  { auths }: AuthFile,
  shown: string,
  keys: readonly MatchingKey[],
  isScoped: boolean,
): Credentials | undefined {
  for (const { key } of keys.filter((each) => each.isScoped === isScoped)) {
    const entry = asObject(auths[key]);
    const credentials = entry && parseAuthEntry(entry, `${shown} (auths: ${key})`);
    if (credentials !== undefined) return credentials;
  }
  return undefined;
}

/** What docker tells a helper: the host, but its Hub by that old address. */
function serverOf(name: string): string {
  const host = canonicalHost(name);
  return host === DOCKER_HUB ? HUB_SERVER : host;
}
