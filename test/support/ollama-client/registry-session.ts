/**
 * Owns the requests that Ollama makes under its own name (manifest, HEAD, probe): User-Agent, the token after a 401,
 * the redirect rule, and which status is which error. Parts never come through here, but for versions without a probe.
 */
import { DeviceKey } from "./device-key.ts";
import { exchangeFollowing, followAll, type RedirectRule, sameHostOnly } from "./follow-redirects.ts";
import { drop, type HttpExchange, readAll } from "./http-exchange.ts";
import type { OllamaVersion } from "./ollama-version.ts";

export type SessionOptions = {
  readonly version: OllamaVersion;
  /** Base URL of `HTTP_PROXY`. */
  readonly proxy?: string | undefined;
  /** A token that the client already holds. */
  readonly token?: string | undefined;
};

export type SessionRequest = {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  readonly redirects?: RedirectRule;
  readonly signal?: AbortSignal | undefined;
};

export class RegistrySession {
  readonly #key = new DeviceKey();
  readonly #options: SessionOptions;
  #token: string | undefined;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#token = options.token;
  }

  get proxy(): string | undefined {
    return this.#options.proxy;
  }

  /** An answer below 400; one 401 is answered with a token. Throws what `ollama pull` prints. */
  async request(url: URL, request: SessionRequest = {}): Promise<HttpExchange> {
    const first = await this.#send(url, request);
    const answer = first.status === 401 ? await this.#retryWithToken(first, url, request) : first;
    if (answer.status < 400) return answer;
    const text = (await readAll(answer)).toString();
    throw new Error(answer.status === 404 ? "file does not exist" : `${answer.status}: ${text}`);
  }

  async #retryWithToken(refused: HttpExchange, url: URL, request: SessionRequest): Promise<HttpExchange> {
    drop(refused);
    const challenge = refused.headers["www-authenticate"] ?? "";
    this.#token = await this.#key.token(challenge, url, this.#options.proxy);
    return this.#send(url, request);
  }

  #send(url: URL, request: SessionRequest): Promise<HttpExchange> {
    const { method = "GET", headers = {}, signal } = request;
    const { version, proxy } = this.#options;
    // Go asks for gzip by itself, but not on HEAD and not where Range is set.
    const plain = method === "HEAD" || headers.range !== undefined;
    const all = {
      "user-agent": version.userAgent,
      ...(!plain && { "accept-encoding": "gzip" }),
      ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
      ...headers,
    };
    const rule = request.redirects ?? (version.redirectLock ? sameHostOnly : followAll);
    return exchangeFollowing(url, { method, headers: all, proxy, signal }, rule);
  }
}
