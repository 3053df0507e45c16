/**
 * Shows that a bundle made on one Granary is a plain OCI layout to skopeo, crane and Docker, and that another Granary without a line serves
 * what it imported from it to Docker, skopeo and Ollama's exact requests.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { OLLAMA_0_34_2 } from "../support/ollama-client/ollama-version.ts";
import { pullModel } from "../support/ollama-client.ts";
import { ENGINE_PROGRAMS, startDockerEngine } from "./support/docker-engine.ts";
import { startDockerRegistry } from "./support/docker-registry.ts";
import { dockerd } from "./support/dockerd-client.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { NO_WAY_OUT } from "./support/image-client.ts";
import { addModel, checkedPlace, startOllamaUpstream } from "./support/ollama-upstream.ts";
import { type RealUpstream, startRealUpstream, UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";
import { skopeo } from "./support/skopeo-client.ts";
import type { StoredImage } from "./support/upstream-content.ts";

const HUB = "docker.io";
const OLLAMA = "registry.ollama.ai";
const LAUNCHER = new URL("../../src/cli/granary.js", import.meta.url).pathname;
const MIB = 2 ** 20;

describeWith([...ENGINE_PROGRAMS, ...UPSTREAM_PROGRAMS, "crane"], "bundles", () => {
  const house = new AsyncDisposableStack();
  let cleanup = new AsyncDisposableStack();
  let upstream: RealUpstream;
  beforeAll(async () => {
    upstream = await startRealUpstream(house);
  });
  beforeEach(() => {
    cleanup = new AsyncDisposableStack();
  });
  afterEach(() => cleanup.disposeAsync());
  afterAll(() => house.disposeAsync());

  /** A Granary whose registries are at these addresses; port 1 is nobody's. */
  async function granaryAt(hub: string, ollama: string): Promise<GranaryProcess> {
    const internal = true;
    return await startGranary(cleanup, {
      upstreams: { [HUB]: { endpoints: [hub], internal }, [OLLAMA]: { endpoints: [ollama], internal } },
    });
  }
  const withoutLine = () => granaryAt("http://127.0.0.1:1", "http://127.0.0.1:1");

  async function granary(...args: readonly string[]): Promise<string> {
    return await runCommand(process.execPath, [LAUNCHER, ...args], {
      env: { ...process.env, ...NO_WAY_OUT },
    });
  }

  async function exported(...patterns: readonly string[]): Promise<string> {
    const ollama = await startOllamaUpstream(cleanup);
    const model = addModel(ollama, "library/tiny", { seed: 5, size: 8 * MIB });
    models.set("library/tiny", model);
    const there = await granaryAt(upstream.url, ollama.url);
    const bundle = join(await scratchDirectory(cleanup, "bundle"), "bundle.tar");
    await granary("bundle", "export", bundle, ...patterns, "--config", there.config, "--quiet");
    await there.stop();
    await ollama.close();
    return bundle;
  }
  const models = new Map<string, ReturnType<typeof addModel>>();
  const nameOf = ({ repository, tag }: Pick<StoredImage, "repository" | "tag">) =>
    `docker.io/${repository}:${tag}`;

  test("a place without a line serves Docker, skopeo and Ollama what was imported", async () => {
    const { big, index, platforms } = upstream.content;
    const bundle = await exported(nameOf(big), nameOf(index), "ollama:tiny", "--platform", "linux/amd64");
    const here = await withoutLine();
    const report = JSON.parse(
      await granary("bundle", "import", bundle, "--config", here.config, "--json", "--quiet"),
    );
    expect(report.names.map(({ outcome }: { outcome: string }) => outcome)).toEqual([
      "imported",
      "imported",
      "imported",
    ]);

    const engine = await dockerd.start(cleanup, here.port(HUB));
    expect(await engine.pull(big)).toEqual({ manifest: big.manifest.digest, config: big.config.digest });
    expect(await engine.pull(index)).toEqual({
      manifest: index.manifest.digest,
      config: platforms[0]?.config.digest,
    });
    const copier = await skopeo.start(cleanup, here.port(HUB));
    expect(await copier.pull(big)).toEqual({ manifest: big.manifest.digest, config: big.config.digest });

    const model = models.get("library/tiny");
    if (model === undefined) throw new Error("no model");
    const pulled = await pullModel({
      name: `127.0.0.1:${here.port(OLLAMA)}/library/tiny:latest`,
      placeFor: (layer) => checkedPlace(model, layer),
      version: OLLAMA_0_34_2,
      limits: { smallest: 100_000, largest: 1_000_000 },
    });
    expect(pulled.manifestDigest).toBe(model.manifestDigest);
  });

  test("skopeo, crane and docker load read it as the layout that it is", async () => {
    const { big, index, platforms } = upstream.content;
    const place = await scratchDirectory(cleanup, "read");
    const bundle = await exported(nameOf(big), nameOf(index), "ollama:tiny", "--platform", "linux/amd64");
    const copied = join(place, "copied");
    const skopeoCopy = (...args: readonly string[]) =>
      runCommand("skopeo", ["--insecure-policy", "copy", "--quiet", ...args], { env: NO_WAY_OUT });
    await skopeoCopy(`oci-archive:${bundle}:${nameOf(big)}`, `dir:${copied}`);
    const manifest = JSON.parse(await readFile(join(copied, "manifest.json"), "utf8"));
    expect(manifest.config.digest).toBe(big.config.digest);
    const one = join(place, "one");
    const sparse = ["--override-os", "linux", "--override-arch", "amd64"];
    await runCommand(
      "skopeo",
      [
        "--insecure-policy",
        ...sparse,
        "copy",
        "--quiet",
        `oci-archive:${bundle}:${nameOf(index)}`,
        `dir:${one}`,
      ],
      { env: NO_WAY_OUT },
    );
    const chosen = JSON.parse(await readFile(join(one, "manifest.json"), "utf8"));
    expect(chosen.config.digest).toBe(platforms[0]?.config.digest);

    // As a folder crane takes it for a layout, as a file for what docker save wrote, of one image.
    const registry = await startDockerRegistry(cleanup, join(place, "storage"));
    const host = new URL(registry).host;
    const alone = join(place, "alone.tar");
    const there = await granaryAt(upstream.url, "http://127.0.0.1:1");
    await granary("bundle", "export", alone, nameOf(big), "--config", there.config, "--quiet");
    await runCommand("crane", ["push", "--insecure", alone, `${host}/file/big:1`], { env: NO_WAY_OUT });
    expect(await configAt(registry, "file/big", "1")).toBe(big.config.digest);
    const folder = join(place, "folder");
    await mkdir(folder);
    await runCommand("tar", ["-xf", alone, "-C", folder]);
    await runCommand("crane", ["push", "--insecure", folder, `${host}/folder/big:1`], { env: NO_WAY_OUT });
    expect(await configAt(registry, "folder/big", "1")).toBe(big.config.digest);

    const { docker } = await startDockerEngine(cleanup);
    await docker("load", "--input", bundle);
    const [found] = JSON.parse(await docker("image", "inspect", `${big.repository}:${big.tag}`));
    expect(found.RootFS.Layers).toHaveLength(big.layers.length);
  });

  test("what docker save and skopeo wrote is imported under its names", async () => {
    const { big } = upstream.content;
    const place = await scratchDirectory(cleanup, "saved");
    const source = await granaryAt(upstream.url, "http://127.0.0.1:1");
    const { docker } = await startDockerEngine(cleanup, ["--registry-mirror", source.url(HUB)]);
    await docker("pull", `${big.repository}:${big.tag}`);
    const saved = join(place, "saved.tar");
    await docker("save", "--output", saved, `${big.repository}:${big.tag}`);
    const archive = join(place, "skopeo.tar");
    const from = `docker://${new URL(source.url(HUB)).host}/${big.repository}:${big.tag}`;
    await runCommand(
      "skopeo",
      [
        "--insecure-policy",
        "copy",
        "--quiet",
        "--src-tls-verify=false",
        from,
        `oci-archive:${archive}:${nameOf(big)}`,
      ],
      { env: NO_WAY_OUT },
    );
    for (const spec of [`docker-archive:${saved}`, `oci:${archive}`]) {
      const here = await withoutLine();
      await granary("import", spec, "--config", here.config, "--quiet", "--as", nameOf(big));
      const engine = await dockerd.start(cleanup, here.port(HUB));
      const pulled = await engine.pull(big);
      expect(pulled.config, spec).toBe(big.config.digest);
      await here.stop();
    }
  });
});

async function configAt(registry: string, repository: string, tag: string): Promise<string> {
  const accept = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
  ].join(", ");
  const get = async (reference: string) =>
    (
      await fetch(`${registry}/v2/${repository}/manifests/${reference}`, { headers: { accept } })
    ).json() as Promise<{
      config?: { digest: string };
      manifests?: { digest: string }[];
    }>;
  const found = await get(tag);
  const [child] = found.manifests ?? [];
  const image = child === undefined ? found : await get(child.digest);
  return image.config?.digest ?? "";
}
