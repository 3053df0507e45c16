/** Shows that skopeo is refused what is denied, is served what is allowed, and stays on the known image of a tag that moved until a person approves. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { runGranary } from "../support/run-granary.ts";
import { startDockerRegistry } from "./support/docker-registry.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { pushBlob, pushManifest } from "./support/push-content.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

const LAB = "lab.test";

/** Pushes an image of one small layer that holds `text`, and gives its digest. */
async function pushImage(registry: string, repository: string, tag: string, text: string): Promise<string> {
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", text }));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: await pushBlob(registry, repository, "application/vnd.oci.image.config.v1+json", config),
    layers: [
      await pushBlob(registry, repository, "application/vnd.oci.image.layer.v1.tar", Buffer.from(text)),
    ],
  };
  return (await pushManifest(registry, repository, tag, manifest)).digest;
}

describeWith(["skopeo", "docker-registry"], "skopeo, where only some images may pass", () => {
  let cleanup: AsyncDisposableStack;
  let registry: string;
  let granary: GranaryProcess;
  let scratch: string;
  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    scratch = await scratchDirectory(cleanup, "passage");
    registry = await startDockerRegistry(cleanup, join(scratch, "registry"));
    const lab = { endpoints: [registry], internal: true, tagLifetime: "0s", deny: ["evil/**"] };
    granary = await startGranary(cleanup, { upstreams: { [LAB]: lab } });
  });
  afterEach(() => cleanup.disposeAsync());

  let copies = 0;
  /** The digest of what it copied. */
  async function copy(name: string): Promise<string> {
    const place = join(scratch, `copy-${copies++}`);
    const source = `docker://127.0.0.1:${granary.port(LAB)}/${name}`;
    await runCommand("skopeo", ["copy", "--quiet", "--src-tls-verify=false", source, `dir:${place}`]);
    const target = ["inspect", "--raw", `dir:${place}`];
    const { config } = JSON.parse(await runCommand("skopeo", target)) as { config: { digest: string } };
    return config.digest;
  }
  const run = (...args: string[]) => runGranary([...args, "--config", granary.config]);
  async function configOf(repository: string, digest: string): Promise<string> {
    const answer = await fetch(`${registry}/v2/${repository}/manifests/${digest}`, {
      headers: { accept: OCI_MANIFEST },
    });
    return ((await answer.json()) as { config: { digest: string } }).config.digest;
  }

  test("is refused by deny, by tag and by digest, with the sentence; and served what is not denied", async () => {
    const evil = await pushImage(registry, "evil/app", "1", "evil");
    const good = await pushImage(registry, "good/app", "1", "good");
    await expect(copy("evil/app:1")).rejects.toThrow(
      /may not pass this mirror: lab\.test\/evil\/\*\* is denied/,
    );
    await expect(copy(`evil/app@${evil}`)).rejects.toThrow(/may not pass this mirror/);
    expect(await copy("good/app:1")).toBe(await configOf("good/app", good));
    expect(await run("allow", "lab.test/other/*")).toMatchObject({ code: 0 });
    await expect(copy("good/app:1")).rejects.toThrow(/not among what is allowed of lab\.test/);
    expect(await run("allow", "lab.test/other/*", "--remove")).toMatchObject({ code: 0 });
    expect(await copy(`good/app@${good}`)).toBe(await configOf("good/app", good));
  });

  test("stays on the known image of a tag that moved, until a person approves", async () => {
    const old = await configOf("a/b", await pushImage(registry, "a/b", "1", "old"));
    expect(await copy("a/b:1")).toBe(old);
    const text = await readFile(granary.config, "utf8");
    await writeFile(granary.config, text.replace(/tagLifetime: 0s/, "tagLifetime: 0s\n    cooldown: 3d"));
    expect(await run("reload")).toMatchObject({ code: 0, out: expect.stringContaining("cooldown") });
    const moved = await pushImage(registry, "a/b", "1", "new");
    expect(await copy("a/b:1")).toBe(old);
    await expect(copy(`a/b@${moved}`)).rejects.toThrow(/is held back/);
    await pushImage(registry, "a/b", "2", "newer");
    await expect(copy("a/b:2")).rejects.toThrow(/granary approve lab\.test\/a\/b:2/);
    expect((await run("held-back")).out).toContain(moved);
    expect(await run("approve", "lab.test/a/b:1")).toMatchObject({ code: 0 });
    expect(await copy("a/b:1")).toBe(await configOf("a/b", moved));
    expect(await copy(`a/b@${moved}`)).toBe(await configOf("a/b", moved));
    await expect(copy("a/b:2")).rejects.toThrow(/is held back/);
  });
});
