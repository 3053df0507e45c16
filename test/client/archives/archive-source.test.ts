/** Owns the tests of an archive as a Source: any range of a blob, what is asked beyond it, and what holds after close. */
import { truncate } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { openArchive } from "../../../src/client/archives/open-archive.ts";
import { digestOf, parseDigest } from "../../../src/oci/digest.ts";
import { atDigest, parseReference } from "../../../src/oci/reference.ts";
import { collect } from "../../support/collect.ts";
import { patternBytes } from "../../support/pattern.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { layoutEntries, makeImage, manifestEntry, named, writeFolder, writeTar } from "./make-archive.ts";

const SIZE = 3_000_001;
const patient = new AbortController().signal;

async function openLarge(form: "tar" | "folder") {
  const blob = patternBytes(7, 0, SIZE);
  const made = { ...(await makeImage(["none"])), layers: [blob] };
  const entries = layoutEntries([made], [manifestEntry(made, named("ghcr.io/org/app:v1"))]);
  const directory = await tempDirectory();
  const path = await (form === "tar" ? writeTar(directory, entries) : writeFolder(directory, entries));
  const opened = await openArchive(path);
  const digest = digestOf(blob);
  const origin = opened.source.origin(opened.reference, digest);
  return { ...opened, path, made, blob, digest, origin };
}

describe.each(["tar", "folder"] as const)("a blob of a %s", (form) => {
  it("gives exactly the range that was asked for, and its size", async () => {
    const { source, reference, origin, digest, blob } = await openLarge(form);
    for (const [start, end] of [
      [0, SIZE],
      [0, 1],
      [1_234_567, 2_345_678],
      [SIZE - 1, SIZE],
      [SIZE, SIZE],
      [5, SIZE + 100],
    ] as const) {
      const opened = await origin.open({ start, end }, patient);
      expect(opened).toMatchObject({
        range: { start, end: Math.min(end, SIZE) },
        size: SIZE,
        rangeBlind: false,
      });
      expect(Buffer.concat(await collect(opened.body)).equals(blob.subarray(start, end))).toBe(true);
    }
    expect(source.isLocal).toBe(true);
    expect(await source.blobSize(reference, digest)).toBe(SIZE);
    await source.close();
  });

  it("is range-unsatisfiable past its end, and not-found when it is not there", async () => {
    const { source, reference, origin } = await openLarge(form);
    const absent = parseDigest(`sha256:${"0".repeat(64)}`);
    await expect(origin.open({ start: SIZE + 1, end: SIZE + 2 }, patient)).rejects.toMatchObject({
      code: "range-unsatisfiable",
    });
    const unknown = source.origin(reference, absent).open({ start: 0, end: 1 }, patient);
    await expect(unknown).rejects.toMatchObject({ code: "not-found" });
    await expect(source.blobSize(reference, absent)).rejects.toMatchObject({ code: "not-found" });
    await source.close();
  });

  it("is not read once the asker has gone or the source is closed", async () => {
    const { source, reference, origin } = await openLarge(form);
    const leaving = new AbortController();
    const [left, late] = [
      await origin.open({ start: 0, end: SIZE }, leaving.signal),
      await origin.open({ start: 0, end: SIZE }, patient),
    ];
    leaving.abort();
    await expect(collect(left.body)).rejects.toMatchObject({ code: "aborted" });
    late.dismiss();
    await source.close();
    await source.close();
    await expect(origin.open({ start: 0, end: 1 }, patient)).rejects.toMatchObject({ code: "closed" });
    await expect(source.manifest(reference)).rejects.toMatchObject({ code: "closed" });
  });

  it("never ends short when the file was cut meanwhile", async () => {
    const { source, origin, path, digest } = await openLarge(form);
    const opened = await origin.open({ start: 0, end: SIZE }, patient);
    await truncate(form === "tar" ? path : `${path}/blobs/sha256/${digest.slice(7)}`, 1000);
    await expect(collect(opened.body)).rejects.toMatchObject({ code: "upstream-protocol" });
    await source.close();
  });
});

describe("a manifest of an archive", () => {
  it("is found by its digest and by the name that was opened, and by nothing else", async () => {
    const { source, reference, made } = await openLarge("tar");
    const digest = digestOf(made.manifest);
    const type = "application/vnd.oci.image.manifest.v1+json";
    expect(reference).toEqual({ ...parseReference("ghcr.io/org/app:v1"), digest });
    for (const asked of [reference, atDigest(reference, digest), parseReference("ghcr.io/org/app:v1")]) {
      expect(await source.manifest(asked)).toEqual({ digest, mediaType: type, bytes: made.manifest });
      expect(await source.headManifest(asked)).toEqual({
        digest,
        mediaType: type,
        size: made.manifest.length,
      });
    }
    await expect(source.manifest(parseReference("ghcr.io/org/app:v2"))).rejects.toMatchObject({
      code: "not-found",
    });
    await source.close();
  });

  it("is not looked for once the caller has given up", async () => {
    const { path, source } = await openLarge("tar");
    await source.close();
    await expect(openArchive(path, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "aborted",
    });
  });
});
