/** Shows that the database stays within its bound whatever is written into it, and what it keeps then. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { openDatabase } from "../../src/metadata/database.ts";
import type { Metadata } from "../../src/metadata/metadata.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const MiB = 2 ** 20;
const BOUND = 2 * MiB;
/** Its log is written into it when it has so many pages; the last write may be in both. */
const LOG = 5 * MiB;
const HERE = { upstream: "reg.test", repository: "a/b" };

async function bounded() {
  const path = join(await tempDirectory(), "granary.db");
  const metadata = openDatabase(path, BOUND).metadata;
  onTestFinished(() => metadata.close());
  const fileBytes = () =>
    ["", "-wal"].reduce((sum, end) => sum + (statSync(path + end, { throwIfNoEntry: false })?.size ?? 0), 0);
  return { metadata, fileBytes };
}

function manifestOf(index: number, size: number) {
  const bytes = Buffer.alloc(size, `${index} `);
  return { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
}

/** A manifest with its tag and a layer on disk, used until now. */
async function live(metadata: Metadata) {
  const manifest = manifestOf(-1, 500);
  const layer = digestOf(Buffer.from("layer"));
  await metadata.recordManifest(HERE, manifest, [{ digest: layer, size: 5 }]);
  await metadata.recordBlob({ digest: layer, size: 5, usedAt: 1 });
  const tag = { ...HERE, tag: "live", acceptClass: "", mediaType: OCI_MANIFEST, size: 500, checkedAt: 10 };
  await metadata.recordTag({ ...tag, digest: manifest.digest });
  const isWhole = async () => {
    const found = [
      await metadata.manifest(manifest.digest),
      await metadata.tag(tag),
      await metadata.link(HERE, manifest.digest),
      await metadata.link(HERE, layer),
      await metadata.blob(layer),
    ];
    return found.every((row) => row !== undefined);
  };
  const use = (at: number) => metadata.touch(new Map([[manifest.digest, at]]));
  return { isWhole, use };
}

describe("the database", () => {
  const anyDigest = (index: number): Digest => digestOf(Buffer.from(`${index}`));
  test.each([
    ["pages of lists that clients invent", 400],
    ["Accept lists that clients invent", 12_000],
    ["digests that are confirmed and not kept", 12_000],
    ["repositories that are looked at", 12_000],
    ["manifests that nobody asks for again", 400],
    ["one list that is larger than all of it", 3],
  ] as const)("stays within its bound under %s, and keeps what is in use", async (what, times) => {
    const { metadata, fileBytes } = await bounded();
    const { isWhole, use } = await live(metadata);
    let most = 0;
    for (let index = 0; index < times; index++) {
      const where = { ...HERE, repository: `a/b${index}` };
      if (what.includes("pages") || what.includes("one list")) {
        const body = Buffer.alloc(what.includes("one") ? 4 * MiB : 60_000, `${index}`);
        const facts = {
          name: `n=${index}`,
          isPacked: false,
          detail: undefined,
          checkedAt: 1e12 + index,
        } as const;
        await metadata.recordList({ ...where, ...facts, kind: "tags", body });
      } else if (what.includes("Accept")) {
        const facts = { tag: "live", mediaType: OCI_MANIFEST, size: 1, checkedAt: 1e12 + index } as const;
        await metadata.recordTag({ ...HERE, ...facts, digest: anyDigest(0), acceptClass: `a/b${index}` });
      } else if (what.includes("digests")) {
        const facts = { kind: "confirmed", size: 1, isMeasured: true, mediaType: undefined } as const;
        await metadata.recordLink(where, { ...facts, digest: anyDigest(index) });
      } else if (what.includes("repositories")) {
        await metadata.recordVisibility(where, { isPublic: true, checkedAt: index });
      } else await metadata.recordManifest(where, manifestOf(index, 60_000), []);
      if (index % 10 === 0) await use(1e12 + index);
      if (index % 50 === 0) most = Math.max(most, fileBytes());
    }
    expect(await metadata.size()).toBeLessThanOrEqual(BOUND);
    expect(Math.max(most, fileBytes())).toBeLessThan(
      BOUND + LOG + (what.includes("one list") ? 8 * MiB : MiB),
    );
    expect(await isWhole()).toBe(true);
  });
});
