/**
 * Owns Credentials: what proves to a registry who asks, and the words for it in messages. Pure data; nothing here reads a file,
 * and no secret ever enters a message: the rule that the credentials came from is all that may be told.
 */

export type FromRule = {
  /** Where they were found, for messages: "~/.docker/config.json (auths: ghcr.io)". Never a secret. */
  readonly rule?: string;
};

/** A user and a password, whoever asks for them: a registry, or a listener of ours. */
export type Login = { readonly username: string; readonly password: string };

export type PasswordCredentials = FromRule & Login;

/** A refresh token: it buys tokens at the token server (OAuth2) and is sent to nobody else. */
export type IdentityCredentials = FromRule & {
  readonly identityToken: string;
  /** For token servers that know no OAuth2. */
  readonly username?: string;
};

/** A bearer token as it goes to the registry. */
export type TokenCredentials = FromRule & { readonly registryToken: string };

export type Credentials = PasswordCredentials | IdentityCredentials | TokenCredentials;

/** Who one question is asked as. */
export type Identity = {
  readonly credentials: Credentials | undefined;
  /** A sentence for errors: which credentials were used, or that there are none and where they were looked for. */
  readonly says: string;
  /**
   * To be called when this identity was refused: a newer one (a password that changed since), or undefined where there is none. Never
   * the same again. It sends nothing.
   */
  readonly renew?: () => Promise<Identity | undefined>;
};

export type CredentialsAsk = {
  /** Host, with its port if it has one, that will get the credentials. */
  readonly host: string;
  readonly repository: string;
};

/**
 * A look-up at use time: a login that is made later counts. Throws `config-invalid` when what it finds cannot be read.
 * It must answer only with credentials that are meant for that host.
 */
export type CredentialsOf = (ask: CredentialsAsk) => Promise<Identity>;

/** What of them must never be shown. */
export function secretsOf(credentials: Credentials | undefined): readonly string[] {
  if (credentials === undefined) return [];
  if ("password" in credentials) return [credentials.password];
  return ["registryToken" in credentials ? credentials.registryToken : credentials.identityToken];
}

/** "the credentials from ~/.docker/config.json (auths: ghcr.io)". */
export function describeCredentials({ rule }: Credentials): string {
  return rule === undefined ? "the configured credentials" : `the credentials from ${rule}`;
}

export function identityWith(credentials: Credentials): Identity {
  return { credentials, says: `It was asked for with ${describeCredentials(credentials)}.` };
}

/** `lookedIn` are the places where a login for `registry` would have been found. */
export function identityWithout(registry: string, lookedIn: readonly string[] = []): Identity {
  const places = lookedIn.length === 0 ? "" : `: looked in ${lookedIn.join(", ")}`;
  return { credentials: undefined, says: `No credentials are configured for ${registry}${places}.` };
}
