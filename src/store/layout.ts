/**
 * Owns every path below the storage directory. File names are made from parsed Digests and the names of configured upstreams
 * (partial-owner.ts), so no text of a request can become a path. It never looks at the disk.
 */
import { join, resolve } from "node:path";
import { algorithmOf, type Digest, type DigestAlgorithm, encodedOf } from "../oci/digest.ts";
import { formatOwner } from "./partial-owner.ts";

export const ALGORITHMS: readonly DigestAlgorithm[] = ["sha256", "sha512"];

/** The two files of one Partial. */
export type PartialFiles = { readonly data: string; readonly map: string };

/** Paths only; asking for one creates nothing. */
export type Layout = {
  /** Absolute, symbolic links resolved once prepared. */
  readonly directory: string;
  readonly database: string;
  /** Where damaged files are moved to; created with the first of them. */
  readonly damaged: string;
  /** Where commands reach a running server; see control-socket.ts. */
  readonly socket: string;
  /** The token of the admin face, where none is configured; see admin-token.ts. */
  readonly adminToken: string;
  /** The folder of the proxy's own authority; see authority-files.ts. */
  readonly authority: string;
  blobsOf(algorithm: DigestAlgorithm): string;
  /** `blobs/sha256/<2 hex>`: the directory that `blob` lies in. */
  blobDirectory(digest: Digest): string;
  blob(digest: Digest): string;
  partialsOf(algorithm: DigestAlgorithm): string;
  /** Without an upstream: where an old Granary put it, which kept one for all upstreams. */
  partial(of: { readonly digest: Digest; readonly upstream: string | undefined }): PartialFiles;
};

/** The paths below `directory`, without looking at the disk. */
export function layoutOf(directory: string): Layout {
  const root = resolve(directory);
  const blobsOf = (algorithm: DigestAlgorithm) => join(root, "blobs", algorithm);
  const blobDirectory = (digest: Digest) => join(blobsOf(algorithmOf(digest)), encodedOf(digest).slice(0, 2));
  const partialsOf = (algorithm: DigestAlgorithm) => join(root, "partial", algorithm);
  return {
    directory: root,
    database: join(root, "granary.db"),
    damaged: join(root, "damaged"),
    socket: join(root, "granary.sock"),
    adminToken: join(root, "admin-token"),
    authority: join(root, "authority"),
    blobsOf,
    blobDirectory,
    blob: (digest) => join(blobDirectory(digest), encodedOf(digest)),
    partialsOf,
    partial: ({ digest, upstream }) => {
      const owner = upstream === undefined ? "" : `${formatOwner(upstream)}@`;
      const data = join(partialsOf(algorithmOf(digest)), `${owner}${encodedOf(digest)}`);
      return { data, map: `${data}.map` };
    },
  };
}

/** The paths of the folders that are always there, those above before those below. */
export function foldersOf({ directory }: Layout): readonly string[] {
  return ["blobs", "partial"].flatMap((name) => [
    join(directory, name),
    ...ALGORITHMS.map((each) => join(directory, name, each)),
  ]);
}
