/** Shows the library from where its users stand: everything they need comes from the index, and nothing else does. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import * as granary from "../src/index.ts";
import { patternBytes } from "./support/pattern.ts";
import { startFake } from "./support/start-upstream.ts";
import { tempDirectory } from "./support/temp-directory.ts";

test("the surface is this and no more", () => {
  expect(Object.keys(granary).toSorted()).toMatchInlineSnapshot(`
    [
      "GranaryError",
      "createImage",
      "createLog",
      "createMetrics",
      "extractImage",
      "extractOciImage",
      "fetchArtifact",
      "fetchBlob",
      "fetchImageBlob",
      "fetchModel",
      "fetchModelWeights",
      "formatPlatform",
      "formatReference",
      "getImage",
      "getImageDigest",
      "getOciImageSize",
      "getOciImageUncompressedSize",
      "imageDigest",
      "imageSize",
      "inspectImage",
      "inspectModel",
      "isDigest",
      "isGranaryError",
      "loadSettings",
      "mirrorSource",
      "modelManifest",
      "modelWeights",
      "ollamaFetchModel",
      "ollamaModelBlob",
      "ollamaModelManifest",
      "openImage",
      "openMirror",
      "openSource",
      "parseDigest",
      "parseImageParts",
      "parseModelName",
      "parsePlatform",
      "parseReference",
      "pullArtifact",
      "readBlob",
      "silentLog",
      "systemClock",
      "uncompressedImageSize",
    ]
  `);
});

const surface: Readonly<Record<string, unknown>> = { ...granary };

test.each([
  ["getImage", "openImage"],
  ["getOciImageSize", "imageSize"],
  ["getOciImageUncompressedSize", "uncompressedImageSize"],
  ["getImageDigest", "imageDigest"],
  ["extractOciImage", "extractImage"],
  ["fetchImageBlob", "fetchBlob"],
  ["ollamaModelManifest", "modelManifest"],
  ["ollamaModelBlob", "modelWeights"],
  ["ollamaFetchModel", "fetchModelWeights"],
  ["pullArtifact", "fetchArtifact"],
])("%s, a first name, is %s", (first, name) => {
  expect(surface[first]).toBeTypeOf("function");
  expect(surface[first]).toBe(surface[name]);
});

test("a user fetches a blob with numbers for progress, and switches on the code of a failure", async () => {
  const fake = await startFake({ mode: "plain" });
  const bytes = patternBytes(5, 0, 2000);
  const digest = fake.addBlob(bytes, "org/app");
  const path = join(await tempDirectory(), "blob");
  const seen: granary.Progress[] = [];
  const onProgress: granary.OnProgress = (progress) => seen.push(progress);
  const fetched: granary.FetchedBlob = await granary.fetchImageBlob(`${fake.host}/org/app`, digest, path, {
    onProgress,
  });
  expect(fetched).toEqual({ digest, size: 2000, path, fetched: 2000 });
  expect(bytes.equals(await readFile(path))).toBe(true);
  expect(seen.at(-1)).toEqual({ phase: "fetch", done: 2000, total: 2000 });

  const failure: unknown = await granary
    .getImage(`${fake.host}/org/app:none`)
    .catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(granary.GranaryError);
  expect(granary.isGranaryError(failure, "not-found")).toBe(true);
});

test("a user reads through a cache in the same process, also when the upstream is gone", async () => {
  const fake = await startFake({ mode: "plain" });
  const { manifestDigest } = fake.addImage("org/app", "1", { layers: [100, 200] });
  const directory = await tempDirectory();
  const plain = await granary.loadSettings(undefined, {});
  const upstreams = plain.upstreams.map((upstream) => ({
    ...upstream,
    endpoints: [fake.url],
    internal: true,
  }));
  const settings: granary.Settings = {
    ...plain,
    upstreams,
    storage: { directory, maxSize: 2 ** 30, minFree: 0 },
  };
  const observers = { log: granary.silentLog, metrics: granary.createMetrics(), clock: granary.systemClock };
  const mirror = await granary.openMirror(settings, observers);
  try {
    const options = { source: granary.mirrorSource(mirror) };
    const ask = async () => ({
      digest: await granary.getImageDigest("ghcr.io/org/app:1", options),
      size: await granary.getOciImageSize("ghcr.io/org/app:1", options),
    });
    const first = await ask();
    expect(first).toEqual({ digest: { digest: manifestDigest, kind: "image" }, size: 300 });
    await fake.pause();
    expect(await ask()).toEqual(first);
  } finally {
    await mirror.close(0);
  }
});
