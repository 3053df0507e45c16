/**
 * Owns the short memory of what credential helpers said: a pull of many blobs must not start a process for each. It decides
 * nothing about which helper is asked, and keeps no failure.
 */
import type { Environment } from "../environment.ts";
import type { Clock } from "../observe/clock.ts";
import type { Credentials } from "../oci/credentials.ts";
import { type HelperCall, runHelper } from "./credential-helpers.ts";

/** A login made, changed or ended later counts after this; helpers' own tokens live for an hour and more. */
const FOUND_MS = 60_000;
const NONE_MS = 5_000;

/** A helper may ask a person for the key of its store. */
const TIMEOUT_MS = 30_000;

/** A helper is asked again after a refusal only when its answer is older than this, so that repeated refusals do not start it each time. */
const REFUSED_MS = 5_000;

type Held = { readonly credentials: Credentials | undefined; readonly since: number; readonly until: number };

export type HelperAnswersOptions = {
  readonly env: Environment;
  readonly clock: Clock;
  readonly timeoutMs?: number;
};

export class HelperAnswers {
  readonly #options: Required<HelperAnswersOptions>;
  readonly #held = new Map<string, Held>();
  readonly #asking = new Map<string, Promise<Credentials | undefined>>();

  constructor(options: HelperAnswersOptions) {
    this.#options = { timeoutMs: TIMEOUT_MS, ...options };
  }

  /** What helpers said a few seconds ago or longer is asked for anew. */
  forgetOld(): void {
    const now = this.#options.clock.elapsed();
    for (const [key, { since }] of this.#held) {
      if (now - since >= REFUSED_MS) this.#held.delete(key);
    }
  }

  /** What `runHelper` gives, at most a minute old. No await from the look-up to the insert: callers share one run. */
  get(call: HelperCall): Promise<Credentials | undefined> {
    const key = JSON.stringify([call.helper, call.server, call.rule]);
    const held = this.#held.get(key);
    if (held !== undefined && this.#options.clock.elapsed() < held.until)
      return Promise.resolve(held.credentials);
    const running = this.#asking.get(key);
    if (running !== undefined) return running;
    const asking = this.#run(key, call).finally(() => this.#asking.delete(key));
    this.#asking.set(key, asking);
    return asking;
  }

  async #run(key: string, call: HelperCall): Promise<Credentials | undefined> {
    const credentials = await runHelper(call, this.#options);
    const keepMs = credentials === undefined ? NONE_MS : FOUND_MS;
    const since = this.#options.clock.elapsed();
    this.#held.set(key, { credentials, since, until: since + keepMs });
    return credentials;
  }
}
