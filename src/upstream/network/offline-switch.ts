/**
 * Owns the switch by which a person sets an upstream offline: nothing is asked of it then, no manifest, no token and no probe, until the
 * switch is set back. It ends no request itself.
 */
import { GranaryError } from "../../errors.ts";

/** What is told to clients as the time after which another try can make sense: nobody knows it, and a minute asks for nothing in vain. */
const RETRY_MS = 60_000;

export class OfflineSwitch {
  readonly #upstream: string;
  #since: number | undefined;

  constructor(upstream: string) {
    this.#upstream = upstream;
  }

  /** Since when it is offline, epoch ms; undefined while it is not. */
  get since(): number | undefined {
    return this.#since;
  }

  set(since: number | undefined): void {
    this.#since = since;
  }

  /** What every question gets while the upstream is offline; undefined while it is not. */
  get refusal(): GranaryError | undefined {
    if (this.#since === undefined) return undefined;
    const name = this.#upstream;
    const reason = `${name} is set offline: until "granary offline off ${name}" only what is stored is served`;
    // For so long as nobody counts: there is nothing to ride out.
    const unsentForMs = Number.MAX_SAFE_INTEGER;
    const facts = {
      reason,
      target: name,
      unsentForMs,
      retryAfterMs: RETRY_MS,
      saysWhatToDo: true,
      isSetOffline: true,
    };
    return new GranaryError("upstream-unavailable", `${reason}.`, facts);
  }
}
