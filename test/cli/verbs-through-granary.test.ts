/**
 * Shows that every verb works through a running Granary, each byte fetched once, and again while the upstream is down: the
 * command line as people use it beside the cache.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { addModel, modelOf } from "../support/models.ts";
import { runGranary, startGranary } from "../support/run-granary.ts";
import { startFake } from "../support/start-upstream.ts";
import { addTarImage } from "../support/tar-image.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { until } from "../support/wire.ts";

const MIB = 2 ** 20;

/** A fake that is both Docker Hub and the Ollama registry, and a Granary in front of it. */
async function world() {
  const fake = await startFake({ mode: "plain" });
  const image = await addTarImage(fake, "library/app", "1.0", [
    { "etc/motd": "hello\n" },
    { "bin/app": Buffer.alloc(MIB, 7) },
  ]);
  const model = addModel(fake, "library/gemma", "2b", {
    layers: [modelOf(3, 2 * MIB), ["template", "{{ .Prompt }}"]],
  });
  const artifact = addArtifact(fake);
  const directory = await tempDirectory();
  const file = join(directory, "granary.yaml");
  const upstream = `{ endpoints: ["${fake.url}"], internal: true }`;
  await writeFile(
    file,
    `listeners: [{ port: 0, host: 127.0.0.1, upstream: docker.io }]
storage: { directory: ${directory}/data, minFree: 1MiB }
upstreams: { docker.io: ${upstream}, registry.ollama.ai: ${upstream} }
`,
  );
  const granary = startGranary(["serve", "--config", file]);
  onTestFinished(async () => {
    granary.child.kill("SIGKILL");
    await granary.ended;
  });
  const listening = () => /listening on (http:\/\/127\.0\.0\.1:\d+)/.exec(granary.text());
  await until(() => listening() !== null);
  return { fake, image, model, artifact, directory, via: listening()?.[1] ?? "" };
}

function addArtifact(fake: FakeRegistry) {
  const content = Buffer.from("# read me\n");
  const annotations = { "org.opencontainers.image.title": "README.md" };
  const layer = {
    mediaType: "text/markdown",
    digest: fake.addBlob(content, "org/artifact"),
    size: content.length,
    annotations,
  };
  const empty = Buffer.from("{}");
  const config = {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: fake.addBlob(empty, "org/artifact"),
    size: 2,
  };
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const manifest = {
    schemaVersion: 2,
    mediaType,
    artifactType: "application/vnd.example",
    config,
    layers: [layer],
  };
  return fake.addManifest("org/artifact", "1", Buffer.from(JSON.stringify(manifest)), mediaType);
}

test("every verb works with --via, fetches each byte once, and works again with the upstream stopped", async () => {
  const { fake, image, model, artifact, directory, via } = await world();
  const [weights = ""] = model.layers;

  /** All verbs, with outputs under names of their own; what they print. */
  const runAll = async (round: string) => {
    const at = (name: string) => join(directory, `${round}-${name}`);
    const verb = async (...args: string[]) => {
      const { code, out, err } = await runGranary([...args, "--via", via]);
      expect(code, `granary ${args.join(" ")}: ${err}`).toBe(0);
      return out.trim();
    };
    const platform = ["--platform", "linux/amd64"];
    const values = [
      await verb("image", "digest", "app:1.0"),
      await verb("image", "size", "app:1.0", ...platform),
      JSON.parse(await verb("image", "inspect", "app:1.0", ...platform, "--json")),
      await verb("model", "digest", "gemma:2b"),
      digestOf(Buffer.from(await verb("model", "manifest", "gemma:2b"))),
      JSON.parse(await verb("model", "inspect", "gemma:2b", "--json")),
    ];
    await verb("image", "extract", "app:1.0", at("root"), ...platform);
    await verb("blob", "fetch", "registry.ollama.ai/library/gemma", weights, at("blob"));
    await verb("model", "fetch", "gemma:2b", at("gemma.gguf"));
    await verb("model", "fetch", "gemma:2b", at("gemma"), "--all");
    await verb("model", "fetch", "gemma:2b", "--ollama-store", at("store"));
    await verb("artifact", "pull", "org/artifact:1", at("artifact"));
    const files = await Promise.all(
      ["root/etc/motd", "root/bin/app", "blob", "gemma.gguf", "artifact/README.md"].map((name) =>
        readFile(at(name)),
      ),
    );
    return { values, files: files.map((bytes) => digestOf(bytes)) };
  };

  const cold = await runAll("cold");
  expect(cold.values.slice(0, 2)).toEqual([image.digest, String(image.compressed)]);
  expect(cold.files.slice(2, 4)).toEqual([weights, weights]);
  const asked = fake
    .matching({ kind: "blob", method: "GET" })
    .map(({ reference, range }) => `${reference} ${range}`);
  expect(asked).toEqual([...new Set(asked)]);
  expect(fake.bytesSentFor(weights)).toBe(2 * MIB);
  expect(fake.count({ kind: "manifest", method: "GET", reference: artifact })).toBeLessThanOrEqual(1);

  await fake.pause();
  expect(await runAll("offline")).toEqual(cold);
}, 120_000);
