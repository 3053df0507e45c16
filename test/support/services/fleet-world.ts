/**
 * Owns a whole fleet for a test: a real PostgreSQL, a real object store, an upstream behind a line that the test slows, and nodes that are processes of
 * their own, which can be killed, frozen, cut off and started again. What crossed the line is the test's to judge; that no node has told a secret to its
 * log or to a client is judged here, at the end of each.
 */

import { createHash } from "node:crypto";
import type { BucketSettings } from "../../../src/fleet/s3/bucket-settings.ts";
import { openS3Bucket } from "../../../src/fleet/s3/s3-bucket.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { type GranaryOptions, type GranaryProcess, startGranary } from "../../e2e/support/granary-process.ts";
import { type FakeRegistry, startFakeRegistry } from "../fake-registry.ts";
import { putBehind } from "../slow-line/publish.ts";
import { type LineSettings, SlowLine } from "../slow-line.ts";
import { type ClientReport, type FleetBlob, readAll } from "./fleet-client.ts";
import { OwnLine } from "./own-line.ts";
import { TestPostgres } from "./postgres.ts";
import type { S3Server } from "./s3-server.ts";
import { startSeaweedFs } from "./seaweedfs.ts";

export type { ClientReport, FleetBlob } from "./fleet-client.ts";

const SECRET = "a-secret-of-thirty-two-characters-that-only-tests-know";
export const UPSTREAM = "fake.test";
const LOOPBACK = "127.0.0.1";
/** Connections that one node uses for one blob. */
export const LANES = 2;

/** Where a node runs: on which address, and by which command (in a network of its own). */
export type NodePlace = { readonly address: string; readonly command: readonly string[] };

export type NodeOptions = {
  /** Over its section `fleet`. */
  readonly changes?: Readonly<Record<string, unknown>>;
  /** It reaches the database by a line of its own (`databaseLines`), which can be cut. */
  readonly hasDatabaseLine?: boolean;
  readonly place?: NodePlace;
  /** Over the rest of its settings. */
  readonly granary?: Partial<GranaryOptions>;
};

type Parts = Pick<FleetWorld, "postgres" | "store" | "fake" | "line" | "database" | "bucket">;

export class FleetWorld {
  readonly postgres: TestPostgres;
  readonly store: S3Server;
  readonly fake: FakeRegistry;
  readonly line: SlowLine;
  /** Its address, for an administrator. */
  readonly database: string;
  readonly bucket: BucketSettings;
  readonly nodes = new Map<string, GranaryProcess>();
  /** By the node. */
  readonly databaseLines = new Map<string, OwnLine>();
  /** The port of this machine by which a node reaches the object store, where it is not this machine's own address. */
  readonly storePorts = new Map<string, number>();
  readonly #cleanup: AsyncDisposableStack;
  readonly #host: string;
  readonly #refusals: string[] = [];

  private constructor(parts: Parts, host: string, cleanup: AsyncDisposableStack) {
    this.postgres = parts.postgres;
    this.store = parts.store;
    this.fake = parts.fake;
    this.line = parts.line;
    this.database = parts.database;
    this.bucket = parts.bucket;
    this.#host = host;
    this.#cleanup = cleanup;
  }

  /**
   * `startStore`: which object store; SeaweedFS when left out. `host`: the address of this machine by which the nodes reach everything. `settings` are
   * the database server's. To be ended by `end`.
   */
  static async begin(
    line: Partial<LineSettings> = {},
    startStore: () => Promise<S3Server> = startSeaweedFs,
    {
      host = LOOPBACK,
      settings = {},
    }: { readonly host?: string; readonly settings?: Readonly<Record<string, string>> } = {},
  ): Promise<FleetWorld> {
    const cleanup = new AsyncDisposableStack();
    const [postgres, store] = await Promise.all([TestPostgres.begin(settings), startStore()]);
    cleanup.defer(() => postgres.end());
    cleanup.defer(() => store.end());
    const fake = await startFakeRegistry({ mode: "plain" });
    cleanup.defer(() => fake.close());
    const slow = new SlowLine(line);
    cleanup.defer(() => slow.close());
    await putBehind(slow, fake, host === LOOPBACK ? undefined : host);
    const bucket = await store.newBucket();
    const database = await postgres.createDatabase();
    return new FleetWorld({ postgres, store, fake, line: slow, database, bucket }, host, cleanup);
  }

  /** Starts a node: without a `granary` of its own it knows the fake registry alone. */
  async node(name: string, options: NodeOptions = {}): Promise<GranaryProcess> {
    const { changes, granary: own = {}, hasDatabaseLine = false } = options;
    const { place = { address: LOOPBACK, command: [] } } = options;
    const { address, command } = place;
    const fleet = {
      node: name,
      database: "$" + "{FLEET_DATABASE}",
      bucket: await this.#bucketSection(name),
      internal: { port: 0, host: address, address, secret: "$" + "{FLEET_SECRET}" },
      ...changes,
    };
    const granary = await startGranary(this.#cleanup, {
      upstreams: { [UPSTREAM]: { endpoints: [this.fake.url], internal: true, lanes: LANES } },
      admin: { host: address },
      listen: address,
      address,
      command,
      ...own,
      sections: { fleet, ...own.sections },
      env: {
        ...own.env,
        FLEET_DATABASE: hasDatabaseLine ? await this.#databaseOf(name) : this.database,
        FLEET_STORE_KEY: this.store.keys.secretKey,
        FLEET_SECRET: SECRET,
      },
    });
    this.nodes.set(name, granary);
    return granary;
  }

  blob(seed: number, size: number): FleetBlob {
    return { seed, size, digest: this.fake.addGeneratedBlob({ seed, size }) };
  }

  /** Reads all of `blob` as a patient client does: where the connection breaks it comes back at the next node of `from`. */
  async read(blob: FleetBlob, from: readonly GranaryProcess[], mostMs = 60_000): Promise<ClientReport> {
    const urls = from.map((node) => `${node.url(UPSTREAM)}/v2/library/test/blobs/${blob.digest}`);
    return await readAll(blob, { urls, mostMs, refused: (text) => this.#refusals.push(text) });
  }

  /** `count` clients at `first`, each of which comes back at the others. */
  clients(blob: FleetBlob, first: GranaryProcess, count = 10, mostMs = 90_000): Promise<ClientReport[]> {
    const from = [first, ...[...this.nodes.values()].filter((node) => node !== first)];
    return Promise.all(Array.from({ length: count }, () => this.read(blob, from, mostMs)));
  }

  /** The node that brings `blob` for all, once there is one. */
  async filler(blob: FleetBlob): Promise<string> {
    for (;;) {
      const rows = await this.sql(`select node from leases where key like '%${blob.digest}'`);
      if (typeof rows[0]?.node === "string") return rows[0].node;
    }
  }

  /** Resolves when upstream has sent so much of `blob`. */
  async sent(blob: FleetBlob, bytes: number): Promise<void> {
    while (this.fake.bytesSentFor(blob.digest) < bytes)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }

  /**
   * How often nodes had to let go of what they brought. On a machine that stands still for seconds that happens by itself, and costs what it costs on
   * purpose.
   */
  get losses(): number {
    const logs = [...this.nodes.values()].map(({ wholeLog }) => wholeLog);
    return logs.reduce((sum, log) => sum + log.split("this node has lost its leases").length - 1, 0);
  }

  /** Bytes that came over the line, all of them: headers, manifests, and what was under way when a connection broke. */
  get crossed(): number {
    return this.line.account.carried;
  }

  /** How often `node` went upstream for itself only, for that reason. */
  async timesAlone(node: GranaryProcess, why: string): Promise<number> {
    const text = await (await fetch(`${node.url(UPSTREAM)}/metrics`)).text();
    return Number(
      new RegExp(`^granary_fleet_alone_total\\{why="${why}"\\} (\\d+)`, "m").exec(text)?.[1] ?? 0,
    );
  }

  /** All rows of one statement on the fleet's database. */
  async sql(text: string): Promise<readonly Record<string, unknown>[]> {
    return await this.postgres.ask(this.database, text);
  }

  /** The digest of what lies in the bucket where the row of `blob` says, and the keys of all objects of `blob`; undefined without a row. */
  async stored(
    blob: FleetBlob,
  ): Promise<{ readonly digest: string; readonly keys: readonly string[] } | undefined> {
    const [row] = await this.sql(`select object_key from blobs where digest = '${blob.digest}'`);
    if (row === undefined) return undefined;
    const bucket = await openS3Bucket(this.bucket, { clock: systemClock, log: silentLog });
    try {
      const whole = { start: 0, end: blob.size };
      const opened = await bucket.open(String(row.object_key), whole, new AbortController().signal);
      const hash = createHash("sha256");
      for await (const chunk of opened?.body ?? []) hash.update(chunk);
      const keys: string[] = [];
      for await (const { key } of bucket.list(`blobs/${blob.digest.replace(":", "/")}/`)) keys.push(key);
      return { digest: `sha256:${hash.digest("hex")}`, keys };
    } finally {
      await bucket.close();
    }
  }

  /** Throws when a node has told a secret. */
  async end(): Promise<void> {
    await this.#cleanup.disposeAsync();
    const secrets = ["X-Amz-Signature", SECRET, this.store.keys.secretKey, ...this.postgres.secrets];
    const told = [...[...this.nodes.values()].map(({ wholeLog }) => wholeLog), ...this.#refusals];
    for (const text of told)
      for (const secret of secrets)
        if (text.includes(secret)) throw new Error(`a node has told ${secret}: ${text.slice(-4000)}`);
  }

  async #databaseOf(node: string): Promise<string> {
    const line = await OwnLine.begin({ host: LOOPBACK, port: this.postgres.port }, this.#host);
    this.#cleanup.defer(() => line.end());
    this.databaseLines.set(node, line);
    return this.database.replace(/@[^/]+/, `@${line.place.host}:${line.place.port}`);
  }

  async #bucketSection(node: string): Promise<Readonly<Record<string, unknown>>> {
    const { keys, endpoint, ...rest } = this.bucket;
    const login = { accessKey: keys?.accessKey, secretKey: "$" + "{FLEET_STORE_KEY}" };
    return { ...rest, ...login, endpoint: await this.#reachable(node, endpoint ?? "") };
  }

  /** `url` of the object store, as `node` reaches it. */
  async #reachable(node: string, url: string): Promise<string> {
    if (this.#host === LOOPBACK) return url;
    const { hostname, port } = new URL(url);
    const line = new SlowLine();
    this.#cleanup.defer(() => line.close());
    const front = await line.front({ host: hostname, port: Number(port) }, { host: this.#host });
    this.storePorts.set(node, front.port);
    return `http://${front.host}:${front.port}`;
  }
}
