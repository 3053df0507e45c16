/** Owns a Metadata whose reads and writes fail as a disk makes them fail, for as long as a test says so. The rows are the real one's. */
import type { Metadata } from "../../src/metadata/metadata.ts";

export type MetadataFaults = {
  /** Thrown by everything that writes. */
  write: Error | undefined;
  /** Where given: writes that it is true for succeed all the same. */
  writeIf: ((method: string, args: readonly unknown[]) => boolean) | undefined;
  /** Thrown by everything that reads. */
  read: Error | undefined;
};

const READS = [
  "blob",
  "coldestBlobs",
  "blobsAfter",
  "blobsToVerify",
  "manifestsAfter",
  "sums",
  "size",
  "manifest",
  "tag",
  "tagsOf",
  "link",
  "visibility",
  "list",
];
const NEITHER = ["putBack", "close"];

export function faulty(real: Metadata): { readonly metadata: Metadata; readonly faults: MetadataFaults } {
  const faults: MetadataFaults = { write: undefined, writeIf: undefined, read: undefined };
  const metadata = Object.fromEntries(
    Object.entries(real).map(([name, method]: [string, (...args: never[]) => Promise<unknown>]) => {
      const call = async (...args: never[]) => {
        const fault = NEITHER.includes(name) ? undefined : READS.includes(name) ? faults.read : faults.write;
        const isSpared = fault === faults.write && faults.writeIf?.(name, args) === true;
        if (fault !== undefined && !isSpared) throw fault;
        return await method(...args);
      };
      return [name, call];
    }),
  );
  return { metadata: metadata as unknown as Metadata, faults };
}
