/**
 * Owns the clients of the upstreams of the settings, made from them at the start and again when they change. A client whose settings did not
 * change stays. Who uses them, and when one that was replaced is closed, is the Mirror's.
 */
import { isDeepStrictEqual } from "node:util";
import type { Settings, UpstreamSettings } from "./config/settings.ts";
import type { ReloadPart } from "./reloading/reload-part.ts";
import type { UpstreamClient } from "./upstream/upstream-client.ts";

type Opened = {
  readonly configured: UpstreamSettings;
  readonly client: UpstreamClient;
  /** Set while its files have other content than the client uses: new certificates need no new client. */
  readonly renew?: () => void;
};

export class OpenedUpstreams {
  readonly #create: (configured: UpstreamSettings) => UpstreamClient;
  #opened: readonly Opened[] = [];

  /** `create` throws `config-invalid`. */
  constructor(create: (configured: UpstreamSettings) => UpstreamClient) {
    this.#create = create;
  }

  /** For a start. Throws `config-invalid`; nothing stays open then. */
  open(configured: readonly UpstreamSettings[]): readonly UpstreamClient[] {
    this.#opened = this.#openedFor(configured);
    return this.#opened.map(({ client }) => client);
  }

  /** What is configured now. */
  get current(): readonly UpstreamSettings[] {
    return this.#opened.map(({ configured }) => configured);
  }

  /** `use` is given all clients, known ones and new ones. */
  reloadPart(use: (clients: readonly UpstreamClient[]) => void): ReloadPart<Settings> {
    return {
      takes: ["upstreams"],
      prepare: ({ upstreams }) => {
        const next = this.#openedFor(upstreams);
        return { apply: () => this.#apply(next, use), abandon: () => closeAll(this.#added(next)) };
      },
    };
  }

  close(): Promise<void> {
    return closeAll(this.#opened);
  }

  #apply(next: readonly Opened[], use: (clients: readonly UpstreamClient[]) => void): void {
    for (const { renew } of next) renew?.();
    this.#opened = next.map(({ configured, client }) => ({ configured, client }));
    use(this.#opened.map(({ client }) => client));
  }

  #openedFor(configured: readonly UpstreamSettings[]): readonly Opened[] {
    const opened: Opened[] = [];
    try {
      for (const each of configured)
        opened.push(this.#known(each) ?? { configured: each, client: this.#create(each) });
      return opened;
    } catch (error) {
      void closeAll(this.#added(opened));
      throw error;
    }
  }

  #known(configured: UpstreamSettings): Opened | undefined {
    const known = this.#opened.find(({ client }) => client.upstream.name === configured.name);
    if (known === undefined) return undefined;
    const { client } = known;
    const [before, after] = [asReached(known.configured), asReached(configured)];
    if (isDeepStrictEqual(before, after)) return { configured, client };
    const { tls } = configured;
    if (!isDeepStrictEqual({ ...before, tls }, after)) return undefined;
    return { configured, client, renew: () => client.renewTls(tls) };
  }

  #added(opened: readonly Opened[]): readonly Opened[] {
    const known = new Set(this.#opened.map(({ client }) => client));
    return opened.filter(({ client }) => !known.has(client));
  }
}

/** Keys of an upstream that are for others than its client, which stays when they change. */
const OUTSIDE: readonly (keyof UpstreamSettings)[] = ["passage"];

function asReached(configured: UpstreamSettings): object {
  const keys: readonly string[] = OUTSIDE;
  return Object.fromEntries(Object.entries(configured).filter(([key]) => !keys.includes(key)));
}

async function closeAll(opened: readonly Opened[]): Promise<void> {
  await Promise.allSettled(opened.map(({ client }) => client.close()));
}
