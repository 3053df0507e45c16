/**
 * Owns a Mirror made of plain values, for tests of the HTTP face: what it holds is put into maps, what it is asked is kept in
 * a list, and pins and readers that were not given back can be counted. It fetches nothing and decides nothing.
 */
import { type ByteRange, lengthOf } from "../../src/bytes/byte-range.ts";
import { GranaryError } from "../../src/errors.ts";
import type {
  Asker,
  ManifestAnswer,
  ManifestAsker,
  ManifestHeadAnswer,
  Mirror,
  MirrorStatus,
  Outcome,
  ReferrersAnswer,
  TagsAnswer,
} from "../../src/mirror/mirror.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import type {
  BlobTarget,
  ManifestTarget,
  ReferrersTarget,
  TagsTarget,
  Target,
} from "../../src/routing/target.ts";
import type { BlobReader, ReadableBlob } from "../../src/source.ts";

/** Awaited before each read, with the offset it is for: stalls by not resolving, fails by rejecting. */
type ReadHook = (offset: number) => Promise<void>;

type StoredManifest = Manifest & {
  readonly outcome: Outcome;
  readonly warning: string | undefined;
  readonly ageMs: number;
};
type StoredBlob = {
  readonly bytes: Uint8Array;
  readonly hook: ReadHook;
  readonly outcome: Outcome;
  readonly size: number;
  /** Nobody states its size. */
  readonly isUnsized: boolean;
};

export class MemoryMirror implements Mirror {
  readonly asked: {
    readonly method: keyof Mirror;
    readonly target: Target;
    readonly asker: Asker | ManifestAsker;
  }[] = [];
  tagsAnswer: TagsAnswer | undefined;
  referrersAnswer: ReferrersAnswer | undefined;
  /** What its blobs were read by: a range, or the whole. */
  readonly readBy: (ByteRange | "whole")[] = [];
  /** Thrown by the next calls instead of an answer. */
  failure: Error | undefined;
  /** Thrown by `status`. */
  statusFailure: Error | undefined;
  /** What is wrong with its store. */
  troubles: readonly string[] = [];
  /** It has all of its manifests in memory, as hits. */
  answersAtOnce = false;
  pins = 0;
  readers = 0;
  readonly #manifests = new Map<string, StoredManifest>();
  readonly #blobs = new Map<Digest, StoredBlob>();

  /** Under each of `tags` and its digest, for the repository `name` ("docker.io/library/alpine"). */
  addManifest(
    name: string,
    tags: readonly string[],
    text: string | Uint8Array,
    facts: { mediaType?: string; outcome?: Outcome; warning?: string; ageMs?: number } = {},
  ): Digest {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    const digest = digestOf(bytes);
    const { mediaType = OCI_MANIFEST, outcome = "hit", warning, ageMs = 0 } = facts;
    for (const reference of [...tags, digest]) {
      this.#manifests.set(`${name} ${reference}`, { digest, mediaType, bytes, outcome, warning, ageMs });
    }
    return digest;
  }

  /** `size` may lie about the bytes, and `hook` may hold or break them. */
  addBlob(
    bytes: Uint8Array,
    {
      hook = async () => undefined,
      outcome = "hit",
      size = bytes.byteLength,
      isUnsized = false,
    }: Partial<StoredBlob> = {},
  ): Digest {
    const digest = digestOf(bytes);
    this.#blobs.set(digest, { bytes, hook, outcome, size, isUnsized });
    return digest;
  }

  manifestAtOnce(target: ManifestTarget, ask: ManifestAsker): ManifestAnswer | undefined {
    if (!this.answersAtOnce || this.failure !== undefined) return undefined;
    const { digest, mediaType, bytes, ...facts } = this.#manifestFor("manifestAtOnce", target, ask);
    return { manifest: { digest, mediaType, bytes }, ...facts };
  }

  async manifest(target: ManifestTarget, ask: ManifestAsker) {
    const { digest, mediaType, bytes, ...facts } = this.#manifestFor("manifest", target, ask);
    return { manifest: { digest, mediaType, bytes }, ...facts };
  }

  async headManifest(target: ManifestTarget, ask: ManifestAsker): Promise<ManifestHeadAnswer> {
    const { bytes, ...head } = this.#manifestFor("headManifest", target, ask);
    return { ...head, size: bytes.byteLength };
  }

  async blob(target: BlobTarget, asker: Asker) {
    const stored = this.#blobFor("blob", target, asker);
    this.pins++;
    return { blob: this.#open(target.digest, stored), outcome: stored.outcome };
  }

  async statBlob(target: BlobTarget, asker: Asker) {
    const { size, outcome, isUnsized } = this.#blobFor("statBlob", target, asker);
    return { digest: target.digest, size: isUnsized ? undefined : size, outcome };
  }

  async tags(target: TagsTarget, asker: Asker): Promise<TagsAnswer> {
    return this.#listFor("tags", target, asker, this.tagsAnswer);
  }

  async referrers(target: ReferrersTarget, asker: Asker): Promise<ReferrersAnswer> {
    return this.#listFor("referrers", target, asker, this.referrersAnswer);
  }

  async verify() {
    return { blobs: 0, bytes: 0, manifests: 0, findings: [], isSound: true };
  }

  async status(): Promise<MirrorStatus> {
    if (this.statusFailure !== undefined) throw this.statusFailure;
    const disk = { used: 0, budget: 0, free: 0 };
    const { troubles } = this;
    return {
      fills: [],
      pins: this.pins,
      upstreams: [],
      disk,
      blobs: this.#blobs.size,
      manifests: 0,
      troubles,
    };
  }

  async close(): Promise<void> {}

  #record(method: keyof Mirror, target: Target, asker: Asker): void {
    this.asked.push({ method, target, asker });
    if (this.failure !== undefined) throw this.failure;
  }

  #manifestFor(method: keyof Mirror, target: ManifestTarget, ask: ManifestAsker): StoredManifest {
    this.#record(method, target, ask);
    const { upstream, repository, reference } = target;
    const key = `${upstream}/${repository} ${"tag" in reference ? reference.tag : reference.digest}`;
    return this.#manifests.get(key) ?? absent(key);
  }

  #blobFor(method: keyof Mirror, target: BlobTarget, asker: Asker): StoredBlob {
    this.#record(method, target, asker);
    return this.#blobs.get(target.digest) ?? absent(target.digest);
  }

  #listFor<T>(method: keyof Mirror, target: Target, asker: Asker, answer: T | undefined): T {
    this.#record(method, target, asker);
    return answer ?? absent(target.repository);
  }

  #open(digest: Digest, { bytes, hook, size, isUnsized }: StoredBlob): ReadableBlob {
    let isReleased = false;
    return {
      digest,
      size: isUnsized ? undefined : size,
      reader: (asked) => {
        const range = asked ?? { start: 0, end: bytes.byteLength };
        this.readers++;
        this.readBy.push(asked ?? "whole");
        return memoryReader(
          bytes.subarray(range.start, range.start + lengthOf(range)),
          hook,
          () => this.readers--,
        );
      },
      release: () => {
        if (!isReleased) this.pins--;
        isReleased = true;
      },
    };
  }
}

function memoryReader(bytes: Uint8Array, hook: ReadHook, onClose: () => void): BlobReader {
  let offset = 0;
  let isClosed = false;
  let wake: (error: Error) => void = () => undefined;
  const closed = new Promise<never>((_, reject) => {
    wake = reject;
  });
  closed.catch(() => undefined);
  return {
    async read(into) {
      await Promise.race([hook(offset), closed]);
      const taken = Math.min(into.byteLength, bytes.byteLength - offset);
      into.set(bytes.subarray(offset, offset + taken));
      offset += taken;
      return taken;
    },
    close() {
      if (isClosed) return;
      isClosed = true;
      onClose();
      wake(new GranaryError("closed", "The reader is closed."));
    },
  };
}

function absent(what: string): never {
  throw new GranaryError("not-found", `There is no ${what} here.`);
}
