/**
 * Owns who may do what through the admin listener, in this order: the Host must be ours, the sender no page of another site, and where a
 * token is asked for, it or a cookie made from it must come along; reading may be open to all. It answers nothing and logs nothing: it says
 * why not.
 */
import { formatDuration } from "../../../bytes/units.ts";
import { GranaryError } from "../../../errors.ts";
import type { Clock } from "../../../observe/clock.ts";
import type { VisitorAccess } from "../app-kind.ts";
import { isAllowedHost } from "./allowed-host.ts";
import { FailedLogins } from "./failed-logins.ts";
import { isOwnPage } from "./own-page.ts";
import { TokenCheck } from "./token-check.ts";

export type GuardOptions = {
  /** undefined: whoever reaches the listener may do everything. */
  readonly token: string | undefined;
  /** Whether reading needs the token too. */
  readonly view: "anyone" | "token";
  /** Names by which browsers may come, besides addresses and localhost; in lower case. */
  readonly hosts: readonly string[];
};

/** What the guard needs to know of a request. */
export type AdminVisit = {
  readonly method: string;
  /** The client's address. */
  readonly client: string | undefined;
  header(name: string): string | undefined;
  /** The host in the target, where that is a whole URL: it is what counts then (RFC 9112, 3.2.2). Else that of the header. */
  readonly target: string | undefined;
  /** The value of our cookie. */
  readonly cookie: string | undefined;
};

const COOKIE_LIFE_MS = 30 * 86_400_000;

export class Guard {
  readonly #clock: Clock;
  readonly #failed: FailedLogins;
  #check: TokenCheck | undefined;
  #options: GuardOptions;

  constructor(options: GuardOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#failed = new FailedLogins(clock);
    this.#check = options.token === undefined ? undefined : new TokenCheck(options.token);
  }

  get needsToken(): boolean {
    return this.#check !== undefined;
  }

  /** Later requests are judged by these. */
  renew(options: GuardOptions): void {
    this.#options = options;
    this.#check = options.token === undefined ? undefined : new TokenCheck(options.token);
  }

  /** Why a request from wherever it comes is not answered at all; asked first, for every path. */
  refusalOfOrigin(visit: AdminVisit): GranaryError | undefined {
    const hosts = [visit.header("host"), visit.target];
    if (!hosts.every((host) => isAllowedHost(host, this.#options.hosts))) {
      return refused(
        `This Granary does not know itself by the name in the Host header. Come by its address, or list the name in admin.hosts.`,
      );
    }
    if (isOwnPage(visit)) return undefined;
    return refused("A page of another site asked for this; only the page of this Granary may.");
  }

  /** Why this visitor may not do it; undefined when they may. Slow where a wrong token was shown. */
  async refusalOfVisitor(visit: AdminVisit): Promise<GranaryError | undefined> {
    if (this.#check === undefined || this.#isKnown(visit)) return undefined;
    const isReading = visit.method === "GET" || visit.method === "HEAD";
    const shown = bearerOf(visit.header("authorization"));
    if (shown !== undefined) return await this.refusalOfToken(shown, visit.client);
    if (isReading && this.#options.view === "anyone") return undefined;
    const text = `This Granary asks for its token: send it as "Authorization: Bearer TOKEN" (commands: --token-file, GRANARY_TOKEN), or log in at /login.`;
    return new GranaryError("unauthorized", text, { saysWhatToDo: true });
  }

  /** What a visitor may do whom refusalOfVisitor lets read. */
  accessOf(visit: AdminVisit): VisitorAccess {
    const hasToken = bearerOf(visit.header("authorization")) !== undefined || this.#isKnown(visit);
    return { mayChange: this.#check === undefined || hasToken, needsToken: this.needsToken };
  }

  /** Why `token` lets nobody in; undefined when it does. */
  async refusalOfToken(token: string, client: string | undefined): Promise<GranaryError | undefined> {
    if (this.#check === undefined) return undefined;
    const blockedMs = this.#check.isGuessable ? this.#failed.blockedMs(client) : 0;
    if (blockedMs > 0) {
      const text = `Too many wrong tokens came from your address: try again in ${formatDuration(blockedMs)}.`;
      return new GranaryError("rate-limited", text, { retryAfterMs: blockedMs, saysWhatToDo: true });
    }
    if (this.#check.isToken(token)) return undefined;
    await this.#failed.failed(client);
    return new GranaryError("unauthorized", "This is not the token of this Granary.", { saysWhatToDo: true });
  }

  /** A cookie for somebody who has shown the token, and how long it is good for. */
  newCookie(): { readonly value: string; readonly lifeMs: number } {
    const value = this.#check?.cookieFor(this.#clock.now() + COOKIE_LIFE_MS) ?? "";
    return { value, lifeMs: COOKIE_LIFE_MS };
  }

  /** A cookie that is over or forged is as if there were none. */
  #isKnown({ cookie }: AdminVisit): boolean {
    return cookie !== undefined && this.#check?.isCookie(cookie, this.#clock.now()) === true;
  }
}

function bearerOf(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
}

function refused(text: string): GranaryError {
  return new GranaryError("denied", text, { saysWhatToDo: true });
}
