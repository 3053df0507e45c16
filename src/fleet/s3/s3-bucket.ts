/**
 * Owns the Bucket over any S3-compatible store: the one place that knows the AWS SDK, and that puts the prefix of the settings before every
 * key. What is missing is a value here, every other failure is made by bucket-failures.ts. It must never try for long, because its callers do.
 */
import type { S3Client } from "@aws-sdk/client-s3";
import { type ByteRange, isEmpty } from "../../bytes/byte-range.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { throwIfAborted } from "../../waiting/abort.ts";
import type { Bucket, ListedObject, ListedUpload, OpenedObject, UploadPart } from "../bucket.ts";
import { bucketError, seenOf } from "./bucket-failures.ts";
import { QUESTIONS, uploadQuestion } from "./bucket-patience.ts";
import { type BucketObservers, BucketQuestions } from "./bucket-questions.ts";
import { type BucketPlace, type BucketSettings, bucketPlaceOf } from "./bucket-settings.ts";
import { checkBucket } from "./check-bucket.ts";
import { clientConfigOf } from "./client-config.ts";
import { setContentMd5 } from "./content-md5.ts";
import { SignedReads } from "./signed-reads.ts";

export type BucketOptions = {
  /** The most objects, uploads or parts that are asked for at once; stores give no more than 1000. */
  readonly pageSize?: number;
};

type Sdk = typeof import("@aws-sdk/client-s3") & typeof import("@aws-sdk/s3-request-presigner");

/** More than the 15 min by which the clocks of this machine and of the store may differ. */
const READ_MS = 20 * 60_000;
/** What signatures may last at most. */
const LONGEST_SIGNED_MS = 7 * 86_400_000;

/** The most of anything that stores list at once. */
const PAGE = 1_000;

/**
 * A bucket of an S3-compatible store. Nothing is sent yet: `check` does that. Throws `config-invalid` when the packages that it needs cannot be
 * loaded, and for an endpoint that is no address.
 */
export async function openS3Bucket(
  settings: BucketSettings,
  observers: BucketObservers,
  options: BucketOptions = {},
): Promise<Bucket> {
  return new S3Bucket(await loadSdk(), settings, observers, options);
}

async function loadSdk(): Promise<Sdk> {
  try {
    return { ...(await import("@aws-sdk/client-s3")), ...(await import("@aws-sdk/s3-request-presigner")) };
  } catch (error) {
    const packages = "@aws-sdk/client-s3 @aws-sdk/s3-request-presigner";
    const message = `A fleet keeps its blobs by two packages that cannot be loaded here: install them with \`npm install ${packages}\`.`;
    throw new GranaryError("config-invalid", message, { cause: error, saysWhatToDo: true });
  }
}

function createClient(sdk: Sdk, settings: BucketSettings): S3Client {
  const client = new sdk.S3Client(clientConfigOf(settings));
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        if (commandName === "DeleteObjectsCommand") setContentMd5(args.request);
        return next(args);
      },
    { step: "build", priority: "low", name: "contentMd5" },
  );
  return client;
}

class S3Bucket implements Bucket {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #settings: BucketSettings;
  readonly #place: BucketPlace;
  readonly #clock: Clock;
  readonly #questions: BucketQuestions;
  readonly #reads: SignedReads;
  readonly #pageSize: number;

  constructor(
    sdk: Sdk,
    settings: BucketSettings,
    observers: BucketObservers,
    { pageSize = PAGE }: BucketOptions,
  ) {
    this.#sdk = sdk;
    this.#settings = settings;
    this.#place = bucketPlaceOf(settings);
    this.#clock = observers.clock;
    this.#questions = new BucketQuestions(this.#place, observers);
    this.#reads = new SignedReads(this.#place);
    this.#pageSize = Math.min(PAGE, pageSize);
    this.#client = createClient(sdk, settings);
  }

  async head(key: string): Promise<{ readonly size: number } | undefined> {
    const command = new this.#sdk.HeadObjectCommand(this.#named(key));
    const answer = await this.#questions.ask(QUESTIONS.head, (how) => this.#client.send(command, how));
    if (answer === undefined) return undefined;
    return this.#questions.all({ size: answer.ContentLength }, QUESTIONS.head);
  }

  async open(key: string, range: ByteRange, signal: AbortSignal): Promise<OpenedObject | undefined> {
    throwIfAborted(signal, "reading from the fleet's bucket");
    if (isEmpty(range)) return await this.#openNothing(key, range.start);
    const { url } = await this.sign(key, READ_MS);
    const opened = await this.#questions.watch(this.#reads.open(url, range, signal));
    if (opened === "absent") return undefined;
    return opened === "past the end" ? await this.#openNothing(key, range.start) : opened;
  }

  /** No Range header can ask for no bytes, and a store answers 416 where a range begins past the end. */
  async #openNothing(key: string, start: number): Promise<OpenedObject | undefined> {
    const found = await this.head(key);
    if (found === undefined) return undefined;
    const at = Math.min(start, found.size);
    return { range: { start: at, end: at }, size: found.size, body: nothing(), dismiss: () => undefined };
  }

  async put(key: string, bytes: Uint8Array): Promise<void> {
    const command = new this.#sdk.PutObjectCommand({ ...this.#named(key), ...bodyOf(bytes) });
    const question = uploadQuestion("write an object to the fleet's bucket", bytes.byteLength);
    await this.#questions.ask(question, (how) => this.#client.send(command, how));
  }

  async begin(key: string): Promise<string> {
    const command = new this.#sdk.CreateMultipartUploadCommand(this.#named(key));
    const answer = await this.#questions.ask(QUESTIONS.begin, (how) => this.#client.send(command, how));
    return this.#questions.all({ uploadId: answer?.UploadId }, QUESTIONS.begin).uploadId;
  }

  async putPart(
    key: string,
    uploadId: string,
    number: number,
    bytes: Uint8Array,
  ): Promise<UploadPart | undefined> {
    const which = { ...this.#named(key), UploadId: uploadId, PartNumber: number };
    const command = new this.#sdk.UploadPartCommand({ ...which, ...bodyOf(bytes) });
    const question = uploadQuestion("upload a part to the fleet's bucket", bytes.byteLength);
    try {
      const answer = await this.#questions.ask(question, (how) => this.#client.send(command, how));
      return answer && this.#questions.all({ number, etag: answer.ETag, size: bytes.byteLength }, question);
    } catch (error) {
      // A store that knows no such upload may hang up before it has read the part, and its answer is lost with that.
      const isAnswered =
        !isGranaryError(error, "fleet-unavailable") || error.facts.upstreamStatus !== undefined;
      if (isAnswered || (await this.parts(key, uploadId)) !== undefined) throw error;
      return undefined;
    }
  }

  async parts(key: string, uploadId: string): Promise<readonly UploadPart[] | undefined> {
    // SeaweedFS lists a part that was uploaded twice as often as that, and takes either.
    const parts = new Map<number, UploadPart>();
    const which = { ...this.#named(key), UploadId: uploadId, MaxParts: this.#pageSize };
    for (let after: string | undefined, isMore = true; isMore; ) {
      const command = new this.#sdk.ListPartsCommand({ ...which, PartNumberMarker: after });
      const page = await this.#questions.ask(QUESTIONS.parts, (how) => this.#client.send(command, how));
      if (page === undefined) return undefined;
      for (const { PartNumber: number, ETag: etag, Size: size } of page.Parts ?? []) {
        const part = this.#questions.all({ number, etag, size }, QUESTIONS.parts);
        parts.set(part.number, part);
      }
      isMore = page.IsTruncated === true;
      after = this.#questions.further(isMore, after, page.NextPartNumberMarker, QUESTIONS.parts);
    }
    return [...parts.values()].sort((a, b) => a.number - b.number);
  }

  async complete(key: string, uploadId: string, parts: readonly UploadPart[]): Promise<boolean> {
    const inOrder = parts.toSorted((a, b) => a.number - b.number);
    const Parts = inOrder.map(({ number, etag }) => ({ PartNumber: number, ETag: etag }));
    const which = { ...this.#named(key), UploadId: uploadId };
    const command = new this.#sdk.CompleteMultipartUploadCommand({ ...which, MultipartUpload: { Parts } });
    const answer = await this.#questions.ask(QUESTIONS.complete, (how) => this.#client.send(command, how));
    if (answer !== undefined) return true;
    // The answer to a first try may have been lost on its way: then the second finds no upload, and what it made is there.
    const size = parts.reduce((sum, part) => sum + part.size, 0);
    return (await this.head(key))?.size === size;
  }

  async abort(key: string, uploadId: string): Promise<void> {
    const command = new this.#sdk.AbortMultipartUploadCommand({ ...this.#named(key), UploadId: uploadId });
    await this.#questions.ask(QUESTIONS.abort, (how) => this.#client.send(command, how));
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (let from = 0; from < keys.length; from += PAGE) {
      const Objects = keys.slice(from, from + PAGE).map((key) => ({ Key: this.#settings.prefix + key }));
      const which = { Bucket: this.#settings.name, Delete: { Objects, Quiet: true } };
      const command = new this.#sdk.DeleteObjectsCommand(which);
      const answer = await this.#questions.ask(QUESTIONS.remove, (how) => this.#client.send(command, how));
      const [first, ...others] = (answer?.Errors ?? []).filter(({ Code }) => Code !== "NoSuchKey");
      if (first !== undefined) throw this.#questions.partly(QUESTIONS.remove, others.length + 1, first.Code);
    }
  }

  async *list(prefix: string): AsyncGenerator<ListedObject, void, undefined> {
    const which = { ...this.#below(prefix), MaxKeys: this.#pageSize };
    for (let after: string | undefined, isMore = true; isMore; ) {
      const command = new this.#sdk.ListObjectsV2Command({ ...which, ContinuationToken: after });
      const page = await this.#questions.ask(QUESTIONS.list, (how) => this.#client.send(command, how));
      for (const { Key, Size: size, LastModified } of page?.Contents ?? []) {
        const key = this.#own(Key);
        yield this.#questions.all({ key, size, changedAt: LastModified?.getTime() }, QUESTIONS.list);
      }
      isMore = page?.IsTruncated === true;
      after = this.#questions.further(isMore, after, page?.NextContinuationToken, QUESTIONS.list);
    }
  }

  /** MinIO lists only the uploads of one key, and none here: it ends uploads by itself after a day. */
  async *uploads(prefix: string): AsyncGenerator<ListedUpload, void, undefined> {
    let after: UploadMarkers | undefined;
    for (let isMore = true; isMore; ) {
      const page = await this.#uploadsAfter(prefix, after);
      for (const { Key, UploadId: uploadId, Initiated } of page?.Uploads ?? []) {
        // SeaweedFS begins a page with the last of the one before.
        if (uploadId !== undefined && uploadId === after?.UploadIdMarker) continue;
        const key = this.#own(Key);
        yield this.#questions.all({ key, uploadId, begunAt: Initiated?.getTime() }, QUESTIONS.uploads);
      }
      isMore = page?.IsTruncated === true;
      const next = { KeyMarker: page?.NextKeyMarker, UploadIdMarker: page?.NextUploadIdMarker };
      this.#questions.further(isMore, textOf(after), textOf(next), QUESTIONS.uploads);
      after = next;
    }
  }

  /** versitygw 1.8 refuses its own markers where a key has no further uploads: the next key is asked for then. */
  async #uploadsAfter(prefix: string, after: UploadMarkers | undefined) {
    const which = { ...this.#below(prefix), MaxUploads: this.#pageSize };
    const ask = (markers: Partial<UploadMarkers>, absent: readonly string[]) => {
      const command = new this.#sdk.ListMultipartUploadsCommand({ ...which, ...markers });
      return this.#questions.ask({ ...QUESTIONS.uploads, absent }, (how) => this.#client.send(command, how));
    };
    if (after === undefined) return await ask({}, []);
    return (await ask(after, ["InvalidArgument"])) ?? (await ask({ KeyMarker: after.KeyMarker }, []));
  }

  async sign(key: string, forMs: number): Promise<{ readonly url: string; readonly expiresAt: number }> {
    this.#questions.throwIfClosed();
    const signedAt = Math.floor(this.#clock.now() / 1_000) * 1_000;
    try {
      const { expiration } = await this.#client.config.credentials();
      const credentialsMs = (expiration?.getTime() ?? Number.POSITIVE_INFINITY) - signedAt;
      const expiresIn = Math.max(1, Math.floor(Math.min(forMs, LONGEST_SIGNED_MS, credentialsMs) / 1_000));
      const command = new this.#sdk.GetObjectCommand(this.#named(key));
      const when = { expiresIn, signingDate: new Date(signedAt) };
      return {
        url: await this.#sdk.getSignedUrl(this.#client, command, when),
        expiresAt: signedAt + expiresIn * 1_000,
      };
    } catch (error) {
      throw bucketError("sign an address of the fleet's bucket", this.#place, seenOf(error));
    }
  }

  check(): Promise<void> {
    return checkBucket(this, `"${this.#place.bucket}" at ${this.#place.host}`);
  }

  async close(): Promise<void> {
    this.#questions.close();
    this.#client.destroy();
    await this.#reads.close();
  }

  #named(key: string) {
    return { Bucket: this.#settings.name, Key: this.#settings.prefix + key };
  }

  #below(prefix: string) {
    return { Bucket: this.#settings.name, Prefix: this.#settings.prefix + prefix };
  }

  /** The key as callers know it; undefined for one that was not asked for. */
  #own(key: string | undefined): string | undefined {
    const { prefix } = this.#settings;
    return key?.startsWith(prefix) === true ? key.slice(prefix.length) : undefined;
  }
}

type UploadMarkers = { readonly KeyMarker: string | undefined; readonly UploadIdMarker: string | undefined };

function textOf({ KeyMarker = "", UploadIdMarker = "" }: Partial<UploadMarkers> = {}): string | undefined {
  return KeyMarker + UploadIdMarker || undefined;
}

/** The same bytes, in the one form that the SDK neither copies nor reads as a stream. */
function bodyOf(bytes: Uint8Array) {
  return {
    Body: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    ContentLength: bytes.byteLength,
  };
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
