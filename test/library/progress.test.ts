/** Shows what a caller can rely on about progress, whatever is fetched: it only grows, and ends exactly once, at its total. */
import { truncate } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as granary from "../../src/index.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { memoryImage } from "../client/extraction/extract-world.ts";
import { type CallOptions, FETCHING, libraryWorld } from "./library-world.ts";

type Reports = readonly granary.Progress[];

/** The reports of one call, and how it ended. */
async function told(call: (options: CallOptions) => Promise<unknown>, signal?: AbortSignal) {
  const reports: granary.Progress[] = [];
  const onProgress = (progress: granary.Progress) => void reports.push(progress);
  const failure: unknown = await call({ onProgress, ...(signal && { signal }) }).then(
    () => undefined,
    (error) => error,
  );
  expectGrowth(reports);
  return { reports, failure };
}

function expectGrowth(reports: Reports): void {
  for (const phase of phasesOf(reports)) {
    const counts = phase.map(({ done }) => done);
    expect(counts).toEqual([...new Set(counts)].toSorted((a, b) => a - b));
    expect(new Set(phase.map(({ total }) => total)).size).toBe(1);
  }
}

function phasesOf(reports: Reports): Reports[] {
  return [...Map.groupBy(reports, ({ phase }) => phase).values()];
}

const isFinal = ({ done, total }: granary.Progress) => done === total;

/** One final report of each phase, its last. */
function expectEnds(reports: Reports, phases: readonly string[]): void {
  expect(phasesOf(reports).map((phase) => phase[0]?.phase)).toEqual(phases);
  for (const phase of phasesOf(reports)) {
    expect(phase.filter(isFinal)).toEqual([phase.at(-1)]);
  }
}

const phasesFor = (name: string) => (name === "extractImage" ? ["fetch", "extract"] : ["fetch"]);

describe.each(FETCHING)("%s", (name, call) => {
  test("ends once, fresh and when all is there already", async () => {
    const world = await libraryWorld();
    for (let round = 0; round < 2; round++) {
      const { reports, failure } = await told((options) => call(world, options));
      expect(failure).toBeUndefined();
      expectEnds(reports, phasesFor(name));
    }
  });

  test("ends once when an earlier run was cut off", async () => {
    const world = await libraryWorld();
    const abort = new AbortController();
    world.fake.fail(/blobs/, { kind: "stall", afterBytes: 500_000 }, { times: 99 });
    const first = await told((options) => {
      const onProgress = (progress: granary.Progress) => {
        options.onProgress?.(progress);
        if (progress.done > 0) abort.abort();
      };
      return call(world, { ...options, onProgress });
    }, abort.signal);
    expect(granary.isGranaryError(first.failure, "aborted")).toBe(true);
    expect(first.reports.filter(isFinal)).toEqual([]);
    world.fake.faults.length = 0;
    const { reports, failure } = await told((options) => call(world, options));
    expect(failure).toBeUndefined();
    expectEnds(reports, phasesFor(name));
  });

  test("does not end when it fails, though all bytes have come", async () => {
    const world = await libraryWorld();
    world.fake.fail(/blobs/, { kind: "flip", offset: 0 }, { times: 99 });
    const { reports, failure } = await told((options) => call(world, options));
    expect(granary.isGranaryError(failure)).toBe(true);
    expect(reports.filter(isFinal)).toEqual([]);
  });
});

test("what is empty ends once as well: a blob, and an image without layers", async () => {
  const { fake, directory } = await libraryWorld();
  const digest = fake.addBlob(Buffer.alloc(0), "org/app");
  const repository = `${fake.host}/org/app`;
  const blob = await told((options) =>
    granary.fetchBlob(repository, digest, join(directory, "none"), options),
  );
  expect(blob.reports).toEqual([{ phase: "fetch", done: 0, total: 0 }]);
  const { image } = memoryImage([]);
  fake.addBlob(image.configBytes, "org/app");
  fake.addManifest("org/app", "none", image.manifest.bytes, OCI_MANIFEST);
  const name = `${repository}:none`;
  const platform = "linux/amd64";
  const size = await told((options) => granary.uncompressedImageSize(name, { platform, ...options }));
  expect(size.reports).toEqual([{ phase: "fetch", done: 0, total: 0 }]);
  const tree = await told((options) =>
    granary.extractImage(name, join(directory, "empty"), { platform, ...options }),
  );
  expectEnds(tree.reports, ["fetch", "extract"]);
});

test("an artifact of which a file is there already counts that file as done", async () => {
  const world = await libraryWorld();
  const call = (options: CallOptions) =>
    granary.fetchArtifact(world.names.artifact, join(world.directory, "notes"), options);
  await call({});
  const { reports } = await told(call);
  expect(reports).toEqual([{ phase: "fetch", done: world.artifact.size, total: world.artifact.size }]);
});

test("an artifact that cannot be put in place does not end, though all of it has come", async () => {
  const world = await libraryWorld();
  const directory = join(world.directory, "notes");
  await granary.fetchArtifact(world.names.artifact, directory);
  await truncate(join(directory, "readme.md"));
  const { reports, failure } = await told((options) =>
    granary.fetchArtifact(world.names.artifact, directory, options),
  );
  expect(granary.isGranaryError(failure, "path-invalid")).toBe(true);
  expect(reports.filter(isFinal)).toEqual([]);
});
