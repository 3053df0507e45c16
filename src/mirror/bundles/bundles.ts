/**
 * Owns exports: names become the stream of one tar that is an OCI image layout. What is not here is fetched while the tar is written, in its
 * turn; a blob that turns out to be wrong ends the stream before its last bytes, so nobody takes it for whole.
 */
import { blobFile, bundleLists } from "../../bundle/bundle-index.ts";
import { textOfName } from "../../bundle/bundle-name.ts";
import { type BundleFile, packBundle } from "../../bundle/bundle-tar.ts";
import { chunksUntilEnd } from "../../bytes/chunks.ts";
import { throwIfAborted } from "../../waiting/abort.ts";
import type { Mirror } from "../mirror.ts";
import {
  type ExportChoice,
  type ExportedBlob,
  type ExportPlan,
  type ExportPlanParts,
  planExport,
} from "./export-plan.ts";
import { type NameLister, namedThings, type StoredPatterns } from "./named-things.ts";

export type BundlesParts = ExportPlanParts & {
  readonly names: StoredPatterns;
  readonly stored: NameLister;
};

type ExportOptions = ExportChoice & { readonly patterns: readonly string[] };

/** All sizes in bytes. */
export type ExportReport = {
  readonly names: readonly {
    readonly name: string;
    readonly digest: string;
    readonly platforms: readonly string[];
    /** Manifests that its index lists and that the bundle does not have. */
    readonly absent: number;
    readonly size: number;
    readonly toFetch: number;
    /** The name that it is attached to, and because of which it is there: of signatures and their like. */
    readonly attachedTo?: string;
  }[];
  /** Of everything once, and of what has to be fetched. */
  readonly size: number;
  readonly toFetch: number;
};

export type PreparedExport = {
  readonly report: ExportReport;
  /** The tar. Once; it releases everything when it ends or is left. `onProgress` hears bytes of its content. */
  chunks(onProgress?: (done: number) => void): AsyncGenerator<Uint8Array>;
  /** For an export that is not written after all. Idempotent. */
  release(): void;
};

export interface Bundles {
  /**
   * Finds everything that the patterns stand for; manifests that are not here are fetched, blobs are not yet. Throws `reference-invalid`,
   * `route-unknown`, `not-found`, and what the Mirror throws.
   */
  prepare(options: ExportOptions): Promise<PreparedExport>;
}

const OWNER = { loggedIn: true, userAgent: undefined } as const;

export function createBundles(parts: BundlesParts): Bundles {
  return {
    prepare: async (options) => {
      const things = await namedThings(options.patterns, parts.stored, parts.names);
      const plan = await planExport(things, parts, options);
      return {
        report: reportOf(plan),
        chunks: (onProgress) => written(plan, parts.mirror, options.signal, onProgress),
        release: () => plan.release(),
      };
    },
  };
}

function reportOf({ names, manifests, blobs }: ExportPlan): ExportReport {
  const documents = [...manifests.values()].reduce((sum, { bytes }) => sum + bytes.length, 0);
  const sizeOf = (some: readonly ExportedBlob[]) => some.reduce((sum, { size }) => sum + size, 0);
  const all = [...blobs.values()];
  return {
    names: names.map(({ name, platforms, parts, size, toFetch }) => ({
      ...{
        name: textOfName(name),
        digest: name.digest,
        platforms,
        absent: parts.absent.length,
        size,
        toFetch,
      },
      ...(name.attachedTo !== undefined && { attachedTo: name.attachedTo }),
    })),
    size: documents + sizeOf(all),
    toFetch: sizeOf(all.filter(({ isHere }) => !isHere)),
  };
}

async function* written(
  plan: ExportPlan,
  mirror: Pick<Mirror, "blob">,
  signal: AbortSignal | undefined,
  onProgress: (done: number) => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  let done = 0;
  const came = (bytes: number) => {
    done += bytes;
    onProgress(done);
  };
  try {
    yield* packBundle(filesOf(plan, mirror, signal, came));
  } finally {
    plan.release();
  }
}

async function* filesOf(
  { names, manifests, blobs }: ExportPlan,
  mirror: Pick<Mirror, "blob">,
  signal: AbortSignal | undefined,
  came: (bytes: number) => void,
): AsyncGenerator<BundleFile> {
  const saved = names.flatMap((each) => each.saved ?? []);
  const lists = bundleLists(
    names.map(({ name }) => name),
    saved,
  );
  for (const [name, bytes] of lists) yield { name, size: bytes.length, body: [bytes] };
  for (const { digest, bytes } of manifests.values()) {
    came(bytes.length);
    yield { name: blobFile(digest), size: bytes.length, body: [bytes] };
  }
  for (const blob of blobs.values()) {
    throwIfAborted(signal, "the export");
    yield { name: blobFile(blob.digest), size: blob.size, body: bodyOf(blob, mirror, signal, came) };
  }
}

async function* bodyOf(
  { where, digest }: ExportedBlob,
  mirror: Pick<Mirror, "blob">,
  signal: AbortSignal | undefined,
  came: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  const { blob } = await mirror.blob({ kind: "blob", ...where, digest }, OWNER);
  const reader = blob.reader();
  try {
    for await (const chunk of chunksUntilEnd(reader)) {
      throwIfAborted(signal, "the export");
      came(chunk.length);
      yield chunk;
    }
  } finally {
    reader.close();
    blob.release();
  }
}
