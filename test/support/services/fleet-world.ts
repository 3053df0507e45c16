/**
 * Owns a whole fleet for a test: a real PostgreSQL, a real object store, an upstream behind a line that the test slows, and nodes that are processes of
 * their own, which can be killed, frozen and started again. What the nodes are asked and what crossed the line is the test's to judge.
 */

import { createHash } from "node:crypto";
import { type GranaryOptions, type GranaryProcess, startGranary } from "../../e2e/support/granary-process.ts";
import { type FakeRegistry, startFakeRegistry } from "../fake-registry.ts";
import { putBehind } from "../slow-line/publish.ts";
import { type LineSettings, SlowLine } from "../slow-line.ts";
import { TestPostgres } from "./postgres.ts";
import type { S3Server } from "./s3-server.ts";
import { startSeaweedFs } from "./seaweedfs.ts";

const SECRET = "a-secret-of-thirty-two-characters-that-only-tests-know";
export const UPSTREAM = "fake.test";

export type FleetBlob = { readonly seed: number; readonly size: number; readonly digest: string };

/** What one client got: bytes that were checked, when the first one came, and how often it had to come back. */
export type ClientReport = { readonly bytes: number; readonly firstByteMs: number; readonly returns: number };

export class FleetWorld {
  readonly postgres: TestPostgres;
  readonly store: S3Server;
  readonly fake: FakeRegistry;
  readonly line: SlowLine;
  readonly nodes = new Map<string, GranaryProcess>();
  readonly #cleanup: AsyncDisposableStack;
  readonly #database: string;
  readonly #bucket: Readonly<Record<string, unknown>>;

  private constructor(
    parts: Pick<FleetWorld, "postgres" | "store" | "fake" | "line">,
    database: string,
    bucket: Readonly<Record<string, unknown>>,
    cleanup: AsyncDisposableStack,
  ) {
    this.postgres = parts.postgres;
    this.store = parts.store;
    this.fake = parts.fake;
    this.line = parts.line;
    this.#database = database;
    this.#bucket = bucket;
    this.#cleanup = cleanup;
  }

  /** `startStore`: which object store; SeaweedFS when left out. `settings` are the database server's. To be ended by `end`. */
  static async begin(
    line: Partial<LineSettings> = {},
    startStore: () => Promise<S3Server> = startSeaweedFs,
    settings: Readonly<Record<string, string>> = {},
  ): Promise<FleetWorld> {
    const cleanup = new AsyncDisposableStack();
    const [postgres, store] = await Promise.all([TestPostgres.begin(settings), startStore()]);
    cleanup.defer(() => postgres.end());
    cleanup.defer(() => store.end());
    const fake = await startFakeRegistry({ mode: "plain" });
    cleanup.defer(() => fake.close());
    const slow = new SlowLine(line);
    cleanup.defer(() => slow.close());
    await putBehind(slow, fake);
    const { keys, pathStyle, name, region, endpoint, prefix } = await store.newBucket();
    const bucket = {
      endpoint,
      region,
      name,
      prefix,
      pathStyle,
      accessKey: keys?.accessKey,
      secretKey: keys?.secretKey,
    };
    return new FleetWorld(
      { postgres, store, fake, line: slow },
      await postgres.createDatabase(),
      bucket,
      cleanup,
    );
  }

  /** Starts a node; `changes` go over its section `fleet`, `options` over the rest: without them it knows the fake registry alone. */
  async node(
    name: string,
    changes: Readonly<Record<string, unknown>> = {},
    options: Partial<GranaryOptions> = {},
  ): Promise<GranaryProcess> {
    const fleet = {
      node: name,
      database: "$" + "{FLEET_DATABASE}",
      bucket: { ...this.#bucket, secretKey: "$" + "{FLEET_STORE_KEY}" },
      internal: { port: 0, host: "127.0.0.1", address: "127.0.0.1", secret: "$" + "{FLEET_SECRET}" },
      ...changes,
    };
    const granary = await startGranary(this.#cleanup, {
      upstreams: { [UPSTREAM]: { endpoints: [this.fake.url], internal: true } },
      admin: {},
      ...options,
      sections: { fleet, ...options.sections },
      env: {
        ...options.env,
        FLEET_DATABASE: this.#database,
        FLEET_STORE_KEY: this.store.keys.secretKey,
        FLEET_SECRET: SECRET,
      },
    });
    this.nodes.set(name, granary);
    return granary;
  }

  get database(): string {
    return this.#database;
  }

  blob(seed: number, size: number): FleetBlob {
    return { seed, size, digest: this.fake.addGeneratedBlob({ seed, size }) };
  }

  /**
   * Reads all of `blob` as a patient client does: where the connection breaks it comes back, by range, at the next node of `from`. Throws for a wrong
   * byte, and after `mostMs` without the end.
   */
  async read(blob: FleetBlob, from: readonly GranaryProcess[], mostMs = 60_000): Promise<ClientReport> {
    const begun = performance.now();
    const hash = createHash("sha256");
    let at = 0;
    let firstByteMs = Number.NaN;
    let returns = 0;
    for (let turn = 0; at < blob.size; turn++) {
      if (performance.now() - begun > mostMs)
        throw new Error(`a client has ${at} of ${blob.size} bytes after ${mostMs} ms`);
      if (turn > 0) returns += 1;
      const node = from[turn % from.length];
      if (node === undefined) throw new Error("no node to read from");
      try {
        const url = `${node.url(UPSTREAM)}/v2/library/test/blobs/${blob.digest}`;
        const answer = await fetch(url, {
          headers: at === 0 ? {} : { range: `bytes=${at}-` },
          signal: AbortSignal.timeout(mostMs),
        });
        if (answer.status !== (at === 0 ? 200 : 206) || answer.body === null) {
          await answer.body?.cancel();
          throw new TypeError(`status ${answer.status}`);
        }
        for await (const chunk of answer.body) {
          if (Number.isNaN(firstByteMs)) firstByteMs = performance.now() - begun;
          hash.update(chunk);
          at += chunk.length;
        }
      } catch (error) {
        if (!(error instanceof TypeError) && !(error instanceof DOMException)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
    if (`sha256:${hash.digest("hex")}` !== blob.digest) throw new Error("a client has got wrong bytes");
    return { bytes: at, firstByteMs, returns };
  }

  /** Bytes that came over the line, all of them: headers, manifests, and what was under way when a connection broke. */
  get crossed(): number {
    return this.line.account.carried;
  }

  /** One row of one statement on the fleet's database. */
  async sql(text: string): Promise<readonly Record<string, unknown>[]> {
    return await this.postgres.ask(this.#database, text);
  }

  async end(): Promise<void> {
    await this.#cleanup.disposeAsync();
  }
}
