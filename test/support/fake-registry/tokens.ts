/**
 * Owns the fake's tokens and logins: who a caller is, what a token may read, until when. Scopes are intersected,
 * never refused, as Docker Hub does it; a wrong password is refused.
 */
import { randomUUID } from "node:crypto";
import type { FakeSettings } from "./settings.ts";

export type Token = {
  readonly identity: string;
  readonly repositories: readonly string[];
  readonly service: string | undefined;
  /** Epoch ms of the fake's clock. */
  readonly expiresAt: number;
};

export const ANONYMOUS = "anonymous";

export class Tokens {
  readonly #settings: FakeSettings;
  readonly #now: () => number;
  readonly #issued = new Map<string, Token>();

  constructor(settings: FakeSettings, now: () => number) {
    this.#settings = settings;
    this.#now = now;
  }

  /** The name behind a Basic header, ANONYMOUS without one, undefined for a wrong password. */
  identityOf(authorization: string | undefined): string | undefined {
    if (authorization === undefined) return ANONYMOUS;
    const [, encoded] = /^Basic (.+)$/.exec(authorization) ?? [];
    const [name = "", ...password] = Buffer.from(encoded ?? "", "base64")
      .toString("utf8")
      .split(":");
    return this.#settings.users[name] === password.join(":") ? name : undefined;
  }

  issue(identity: string, scopes: readonly string[], service?: string): string {
    const repositories = repositoriesIn(scopes);
    const opened = repositories.filter((name) => this.mayRead(identity, name));
    const text = `${this.#settings.tokenForm === "jwt" ? claimsOf(opened) : ""}fake-token-${randomUUID()}`;
    this.#issued.set(text, {
      identity,
      repositories: opened,
      service,
      expiresAt: this.#now() + (this.#settings.tokenExpiresIn ?? 60) * 1000,
    });
    return text;
  }

  /** The token behind a Bearer header, whether it still holds or not. */
  find(authorization: string | undefined): (Token & { readonly expired: boolean }) | undefined {
    const token = this.#issued.get(/^Bearer (.+)$/.exec(authorization ?? "")?.[1] ?? "");
    return token === undefined ? undefined : { ...token, expired: token.expiresAt <= this.#now() };
  }

  mayRead(identity: string, repository: string): boolean {
    const { privateRepositories, readers } = this.#settings;
    if (!privateRepositories.has(repository)) return true;
    return identity !== ANONYMOUS && (readers[repository]?.includes(identity) ?? true);
  }

  mayReadAll(identity: string, scopes: readonly string[]): boolean {
    return repositoriesIn(scopes).every((name) => this.mayRead(identity, name));
  }

  /** Every token is now as good as expired. */
  revoke(): void {
    for (const [text, token] of this.#issued) this.#issued.set(text, { ...token, expiresAt: 0 });
  }
}

function repositoriesIn(scopes: readonly string[]): string[] {
  return scopes.flatMap((scope) => /^repository:(.+):(?:.*,)?pull(?:,.*)?$/.exec(scope)?.[1] ?? []);
}

/** Header and payload of a JWT as the token specification has it; what follows stands for the signature. */
function claimsOf(repositories: readonly string[]): string {
  const access = repositories.map((name) => ({ type: "repository", name, actions: ["pull"] }));
  const encode = (part: unknown) => Buffer.from(JSON.stringify(part)).toString("base64url");
  return `${encode({ alg: "none", typ: "JWT" })}.${encode({ iss: "fake", access })}.`;
}
