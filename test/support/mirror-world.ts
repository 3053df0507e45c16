/**
 * Owns a whole Mirror for one test: fake registry, real client, real files, real SQLite, all of it closed and found clean when
 * the test is over: no fill, no pin, no open file below the directory, no connection. It fakes nothing but the registry and time.
 */
import { readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { ByteRange } from "../../src/bytes/byte-range.ts";
import { passageSettings, type WrittenPassage } from "../../src/config/sections/passage.ts";
import type { ContentRows } from "../../src/metadata/content-rows.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import type { Asker } from "../../src/mirror/mirror.ts";
import type { FleetPart, PassagePart, StartedMirror } from "../../src/mirror/mirror-parts.ts";
import type { Budget } from "../../src/mirror/space/disk-measure.ts";
import { startMirror } from "../../src/mirror/start-mirror.ts";
import { type Log, silentLog } from "../../src/observe/log.ts";
import { createMetrics, type Metrics } from "../../src/observe/metrics.ts";
import { isDigest } from "../../src/oci/digest.ts";
import { openRecords } from "../../src/records/records.ts";
import { parsePattern } from "../../src/routing/name-pattern.ts";
import type { BlobReader } from "../../src/source.ts";
import type { BlobStore } from "../../src/store/blob-store.ts";
import { openDiskBlobs } from "../../src/store/disk-blobs.ts";
import type { Spool } from "../../src/store/partial.ts";
import { makeFolders } from "../../src/store/storage-folders.ts";
import { createUpstreamClient, type UpstreamClientOptions } from "../../src/upstream/client.ts";
import type { TlsMaterial } from "../../src/upstream/network/trust.ts";
import type { Upstream } from "../../src/upstream/policy.ts";
import type { ListenerTls } from "./fake-registry/listener.ts";
import type { FakeMode, FakeRegistry, FakeSettings } from "./fake-registry.ts";
import { eventually } from "./patience.ts";
import { HurriedClock, startFake } from "./start-upstream.ts";
import { type TempStore, tempStore } from "./temp-store.ts";
import { upstreamOf } from "./upstream-of.ts";

export type WorldOptions = {
  readonly mode?: FakeMode;
  readonly settings?: Partial<FakeSettings>;
  readonly upstream?: Parameters<typeof upstreamOf>[1];
  /** The fake speaks https with this; with `ca`, to clients with a certificate alone. */
  readonly fakeTls?: ListenerTls;
  /** What the Mirror trusts and shows there. */
  readonly tls?: TlsMaterial;
  /** Where clients look up names, and what their requests carry. */
  readonly client?: Pick<UpstreamClientOptions, "lookup" | "via">;
  /** Further upstreams, which may be other fakes. */
  readonly others?: readonly Upstream[];
  readonly budget?: Budget;
  /** What the database may take; any amount when left out. */
  readonly databaseBytes?: number;
  /** Patterns. */
  readonly keep?: readonly string[];
  readonly verifyEveryMs?: number;
  /** What may pass of the upstream; durations in milliseconds. */
  readonly passage?: WrittenPassage;
  /** It is one of many. */
  readonly fleet?: FleetPart;
  /** Silent when left out. */
  readonly log?: Log;
  readonly metadata?: (real: Metadata) => Metadata;
  readonly blobs?: (real: BlobStore) => BlobStore;
  readonly spool?: (real: Spool) => Spool;
  /** Runs before the first start, with the directory as an earlier process may have left it. */
  readonly before?: (store: TempStore) => Promise<void>;
};

export const UPSTREAM = "fake.test";
const anonymous: Asker = { loggedIn: false, userAgent: undefined };
export const MiB = 2 ** 20;

const PLENTY: Budget = { maxSize: 2 ** 40, minFree: 0 };
const READ_BYTES = 256 * 1024;
/** A busy machine must not make a tag stale; tests of slowness set their own. */
const PATIENT_MS = 20_000;

type Ask = Partial<Asker> & { readonly accept?: readonly string[]; readonly upstream?: string };

export async function startWorld(options: WorldOptions = {}): Promise<MirrorWorld> {
  const { mode = "plain", settings = {}, fakeTls } = options;
  const fake = await startFake({ mode, settings, ...(fakeTls !== undefined && { tls: fakeTls }) });
  const store = await tempStore();
  await options.before?.(store);
  const world = new MirrorWorld(options, fake, store);
  onTestFinished(() => world.end());
  await world.start();
  return world;
}

export class MirrorWorld {
  readonly fake: FakeRegistry;
  readonly store: TempStore;
  readonly clock = new HurriedClock();
  readonly #options: WorldOptions;
  /** Everything that was told in this world, also before a restart. */
  readonly records = openRecords({ clock: this.clock });
  #passage: WrittenPassage;
  metrics: Metrics = createMetrics();
  #running:
    | { readonly mirror: StartedMirror; readonly metadata: Metadata; readonly contents: ContentRows }
    | undefined;

  constructor(options: WorldOptions, fake: FakeRegistry, store: TempStore) {
    this.#options = options;
    this.#passage = options.passage ?? {};
    this.fake = fake;
    this.store = store;
  }

  get mirror(): StartedMirror {
    return this.#now.mirror;
  }

  get contents(): ContentRows {
    return this.#now.contents;
  }

  /** The real rows, past any wrapper. */
  get metadata(): Metadata {
    return this.#now.metadata;
  }

  async start(): Promise<void> {
    const { upstream = {}, others = [], budget = PLENTY, tls, log } = this.#options;
    const policy = { offlineDeadlineMs: PATIENT_MS, ...upstream.policy };
    const { clock } = this;
    const metrics = createMetrics();
    // What is known of files is known to one process.
    const files = openDiskBlobs(this.store.layout);
    const { metadata, contents, rules, sightings, bound } = openDatabase(
      this.store.layout.database,
      this.#options.databaseBytes,
    );
    const clients = [upstreamOf(this.fake, { ...upstream, policy }), ...others].map((one) =>
      createUpstreamClient({
        upstream: one,
        clock,
        metrics,
        env: {},
        records: this.records,
        ...this.#options.client,
        ...(tls !== undefined && { tls }),
        ...(log !== undefined && { log }),
      }),
    );
    const mirror = await startMirror({
      fleet: this.#options.fleet,
      clients,
      metadata: this.#options.metadata?.(metadata) ?? metadata,
      contents,
      bound,
      rules,
      sightings,
      passage: passagePart(this.#passage),
      keep:
        this.#options.keep?.map((text) =>
          parsePattern(text, [{ name: UPSTREAM, aliases: [], names: "oci" }]),
        ) ?? [],
      blobs: this.#options.blobs?.(files) ?? files,
      spool: this.#options.spool?.(this.store.spool) ?? this.store.spool,
      makeFolders: () => makeFolders(this.store.layout),
      budget,
      clock,
      log: log ?? silentLog,
      metrics,
      random: Math.random,
      records: this.records,
      verifyEveryMs: this.#options.verifyEveryMs ?? 0,
    });
    this.metrics = metrics;
    this.#running = { mirror, metadata, contents };
  }

  /** As a reload of the settings does; it holds for later starts too. */
  renewPassage(passage: WrittenPassage): void {
    this.#passage = passage;
    this.mirror.renewPassage(passagePart(passage));
  }

  /** A stop, in order, and a start on the same directory. */
  async restart(between: () => Promise<void> = async () => {}): Promise<void> {
    await this.stop();
    await between();
    await this.start();
  }

  async stop(): Promise<void> {
    const mirror = this.#running?.mirror;
    this.#running = undefined;
    await mirror?.close(2_000);
  }

  async end(): Promise<void> {
    if (this.#running !== undefined) {
      await this.fills(0);
      // A stored blob is let go when its file is closed, which takes a moment.
      await eventually(async () =>
        expect((await this.mirror.status()).pins, "pins that are still held").toBe(0),
      );
      await this.stop();
    }
    await eventually(() => expect(this.fake.connections, "connections that are still open").toBe(0));
    // The hashing thread lets go of its files a moment after it is told to.
    await eventually(async () => expect(await this.openFiles(), "files that are still open").toEqual([]));
  }

  /** Resolves when that many fills are in the map. */
  async fills(count: number): Promise<void> {
    await eventually(async () => expect((await this.mirror.status()).fills).toHaveLength(count));
  }

  /** Files below the storage directory that this process has open; none where the system does not tell. */
  async openFiles(): Promise<string[]> {
    const names = await readdir("/proc/self/fd").catch(() => []);
    const targets = await Promise.all(names.map((name) => readlink(`/proc/self/fd/${name}`).catch(() => "")));
    const { directory } = this.store.layout;
    // The lock of the directory is the test's own, and is let go after this.
    return targets.filter((target) => target.startsWith(directory) && target !== join(directory, "lock.db"));
  }

  /** As the HTTP face asks: at once where that can be, so that every test also shows when it cannot. */
  async get(repository: string, reference: string, ask: Ask = {}) {
    const [target, asker] = [manifestTarget(repository, reference, ask), askOf(ask)];
    return this.mirror.manifestAtOnce(target, asker, false) ?? (await this.mirror.manifest(target, asker));
  }

  /** The same without bytes. What is told at once must be what a HEAD tells. */
  async head(repository: string, reference: string, ask: Ask = {}) {
    const [target, asker] = [manifestTarget(repository, reference, ask), askOf(ask)];
    const found = this.mirror.manifestAtOnce(target, asker, true);
    const head = await this.mirror.headManifest(target, asker);
    if (found === undefined) return head;
    const { manifest, ...facts } = found;
    const { digest, mediaType, bytes } = manifest;
    expect({ ...facts, digest, mediaType, size: bytes.length }).toMatchObject({
      ...head,
      ageMs: facts.ageMs,
    });
    return head;
  }

  /** What is told at once; undefined where something has to be waited for. */
  atOnce(repository: string, reference: string, ask: Ask = {}) {
    return this.mirror.manifestAtOnce(manifestTarget(repository, reference, ask), askOf(ask), false);
  }

  open(repository: string, digest: string, ask: Ask = {}) {
    return this.mirror.blob(blobTarget(repository, digest, ask), askOf(ask));
  }

  stat(repository: string, digest: string, ask: Ask = {}) {
    return this.mirror.statBlob(blobTarget(repository, digest, ask), askOf(ask));
  }

  /** All bytes of the blob, or of `range`; the reader is closed and the pin released. */
  async read(repository: string, digest: string, range?: ByteRange, ask: Ask = {}): Promise<Buffer> {
    const { blob } = await this.open(repository, digest, ask);
    const reader = blob.reader(range);
    try {
      return await readAll(reader);
    } finally {
      reader.close();
      blob.release();
    }
  }

  async tags(repository: string, query = "", asker: Asker = anonymous) {
    const { body, release, ...facts } = await this.mirror.tags(
      { kind: "tags", upstream: UPSTREAM, repository, query },
      asker,
    );
    release();
    return { ...facts, body: Buffer.from(body).toString() };
  }

  async referrers(repository: string, digest: string, artifactType?: string, asker: Asker = anonymous) {
    if (!isDigest(digest)) throw new Error(`${digest} is no digest`);
    const target = { kind: "referrers", upstream: UPSTREAM, repository, digest, artifactType } as const;
    const { body, release, ...facts } = await this.mirror.referrers(target, asker);
    release();
    return { ...facts, body: Buffer.from(body).toString() };
  }

  /** The value of a counter or gauge, all labels together. */
  async metric(name: string): Promise<number> {
    const metric = await this.metrics.registry.getSingleMetric(`granary_${name}`)?.get();
    return metric?.values.reduce((sum, { value }) => sum + value, 0) ?? 0;
  }

  get #now() {
    if (this.#running === undefined) throw new Error("the mirror is not running");
    return this.#running;
  }
}

const OWN = [{ name: UPSTREAM, aliases: [], names: "oci" }] as const;

function passagePart(written: WrittenPassage): PassagePart {
  const { allow, deny, cooldownMs } = passageSettings(written, UPSTREAM, OWN);
  const rulesOf = (kind: "allow" | "deny", patterns: typeof allow) =>
    patterns.map((pattern) => ({ kind, pattern, from: "settings" as const }));
  const rules = [...rulesOf("allow", allow), ...rulesOf("deny", deny)];
  return { rules, cooldowns: new Map([[UPSTREAM, cooldownMs]]) };
}

export async function readAll(reader: BlobReader): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (;;) {
    const into = Buffer.allocUnsafe(READ_BYTES);
    const count = await reader.read(into);
    if (count === 0) return Buffer.concat(parts);
    parts.push(into.subarray(0, count));
  }
}

function askOf({ loggedIn = false, userAgent, accept = [], upstream: _, ...who }: Ask) {
  return { ...who, loggedIn, userAgent, accept };
}

function manifestTarget(repository: string, reference: string, { upstream = UPSTREAM }: Ask) {
  const named = isDigest(reference) ? { digest: reference } : { tag: reference };
  return { kind: "manifest", upstream, repository, reference: named } as const;
}

function blobTarget(repository: string, digest: string, { upstream = UPSTREAM }: Ask) {
  if (!isDigest(digest)) throw new Error(`${digest} is no digest`);
  return { kind: "blob", upstream, repository, digest } as const;
}
