/** Owns records over a real database with a clock that a test moves, and clients that ask as real ones do. */
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Database, openDatabase } from "../../src/metadata/database.ts";
import type { RecordRows } from "../../src/metadata/record-rows.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { openRecords, type Records } from "../../src/records/records.ts";
import type { RecordedRequest, RequestEnd } from "../../src/records/request-record.ts";
import type { RecordSettings } from "../../src/records/retention.ts";
import { FakeClock } from "./fake-clock.ts";
import { tempDirectory } from "./temp-directory.ts";

export type RecordsWorldOptions = {
  readonly settings?: RecordSettings;
  readonly maxBytes?: number;
  readonly rows?: (real: RecordRows) => RecordRows;
};

export type Client = Partial<Pick<RecordedRequest, "client" | "userAgent" | "upstream" | "repository">>;

export const DOCKER = "docker/28.0.1 go/go1.23.6 kernel/6.8.0 os/linux arch/amd64";

export class RecordsWorld {
  readonly clock = new FakeClock();
  readonly path: string;
  readonly #options: RecordsWorldOptions;
  database: Database;
  records: Records;

  constructor(path: string, options: RecordsWorldOptions) {
    this.path = path;
    this.#options = options;
    this.database = openDatabase(path, options.maxBytes);
    this.records = this.#open(options.settings);
  }

  #open(settings: RecordSettings | undefined): Records {
    const rows = this.#options.rows?.(this.database.records) ?? this.database.records;
    return openRecords({ clock: this.clock, rows, ...(settings && { settings }) });
  }

  /** As the process does it: `killed` writes nothing more. */
  async restart(how: "stopped" | "killed" = "stopped", settings = this.#options.settings): Promise<void> {
    if (how === "stopped") this.records.close();
    await this.database.close();
    this.database = openDatabase(this.path, this.#options.maxBytes);
    this.records = this.#open(settings);
  }

  /** One request of a client, answered whole. */
  manifest(manifest: Manifest, reference: { tag: string } | "digest", client: Client = {}): void {
    const by = reference === "digest" ? { digest: manifest.digest } : reference;
    const record = this.records.open({ ...requestOf(client), kind: "manifest", reference: by });
    record.found(manifest);
    record.sent(manifest.bytes.length);
    record.end(STORED);
  }

  head(manifest: Manifest, tag: string, client: Client = {}): void {
    const request = { ...requestOf(client), kind: "manifest", isHead: true } as const;
    const record = this.records.open({ ...request, reference: { tag } });
    record.saw(manifest.digest);
    record.end(STORED);
  }

  blob(digest: Digest, bytes: number, client: Client = {}, end: Partial<RequestEnd> = {}): void {
    const record = this.begin(digest, client);
    record.sent(bytes);
    record.end({ ...STORED, ...end });
  }

  begin(digest: Digest, client: Client = {}) {
    return this.records.open({ ...requestOf(client), kind: "blob", reference: { digest } });
  }

  /** A name that does not exist. */
  missing(repository: string, client: Client = {}): void {
    const request = { ...requestOf({ ...client, repository }), kind: "manifest" } as const;
    const record = this.records.open({ ...request, reference: { tag: "1" } });
    record.refused(100);
    record.end({ from: "nowhere", isWhole: false, failure: "no such repository" });
  }

  pulls() {
    return this.records.pulls.find({ before: Number.MAX_SAFE_INTEGER, limit: 100 });
  }
}

const STORED: RequestEnd = { from: "stored", isWhole: true, failure: undefined };

export async function recordsWorld(options: RecordsWorldOptions = {}): Promise<RecordsWorld> {
  const world = new RecordsWorld(join(await tempDirectory(), "granary.db"), options);
  onTestFinished(async () => {
    world.records.close();
    await world.database.close();
  });
  return world;
}

/** An image whose blobs have these sizes. */
export function imageOf(
  name: string,
  sizes: readonly number[],
): Manifest & { readonly blobs: readonly Digest[] } {
  const blobs = sizes.map((size, index) => ({ digest: digestOf(Buffer.from(`${name} ${index}`)), size }));
  const [config, ...layers] = blobs.map((blob) => ({ mediaType: "application/octet-stream", ...blob }));
  const manifest = manifestOf(OCI_MANIFEST, { config, layers });
  return { ...manifest, blobs: blobs.map(({ digest }) => digest) };
}

export function indexOf(images: Readonly<Record<string, Manifest>>): Manifest {
  const manifests = Object.entries(images).map(([platform, { digest, bytes, mediaType }]) => {
    const [os, architecture] = platform.split("/");
    return { mediaType, digest, size: bytes.length, platform: { os, architecture } };
  });
  return manifestOf(OCI_INDEX, { manifests });
}

function manifestOf(mediaType: string, members: object): Manifest {
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...members }));
  return { digest: digestOf(bytes), mediaType, bytes };
}

function requestOf(client: Client): Omit<RecordedRequest, "kind" | "reference"> {
  const { client: address = "192.0.2.1", userAgent = DOCKER, upstream = "docker.io" } = client;
  const { repository = "library/alpine" } = client;
  return { client: address, userAgent, upstream, repository, isHead: false };
}
