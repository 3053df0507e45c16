/**
 * Owns what the files that settings name (certificates, keys, passwords) contained when they could last be used. Without that a reload in the
 * moment between a new certificate and its key would fail as a whole. It never keeps content for other names than those it was read by.
 */
import { isGranaryError } from "../errors.ts";
import type { TlsMaterial } from "../upstream/network/trust.ts";
import type { InternalSettings, ListenerSettings } from "./settings.ts";

type Failure = { readonly name: string; readonly error: unknown };

export class NamedFiles {
  #failures: Failure[] = [];
  readonly upstreamTls = this.#kind<TlsMaterial | undefined>();
  readonly listenerTls = this.#kind<ListenerSettings["tls"]>();
  readonly internalTls = this.#kind<InternalSettings["tls"]>();
  readonly password = this.#kind<string | undefined>();

  /** What could not be used since the last call, in the order of the keys. */
  problems(): readonly unknown[] {
    const failures = this.#failures.toSorted((a, b) => (a.name < b.name ? -1 : 1));
    this.#failures = [];
    return failures.map(({ error }) => error);
  }

  /**
   * For one kind of content: what `read` gives, or where it throws `config-invalid`, what it gave last for the same `names` (the key and all
   * that it names). Throws where there was nothing before.
   */
  #kind<T>() {
    const last = new Map<string, { readonly content: T }>();
    return async (names: readonly (string | undefined)[], read: () => Promise<T>): Promise<T> => {
      const name = JSON.stringify(names);
      try {
        const content = await read();
        last.set(name, { content });
        return content;
      } catch (error) {
        const before = last.get(name);
        if (!isGranaryError(error, "config-invalid") || before === undefined) throw error;
        this.#failures.push({ name, error });
        return before.content;
      }
    };
  }
}
