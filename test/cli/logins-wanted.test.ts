/** Shows what the verbs say to a Granary, or a registry, that wants a login: exit code 4 and what to do, never "not found". */
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { adviceFor } from "../../src/cli/advice.ts";
import { exitCodeOf } from "../../src/cli/exit-code.ts";
import { loadSettings } from "../../src/config/load.ts";
import {
  fetchImageBlob,
  getImageDigest,
  getOciImageSize,
  ollamaModelManifest,
  openSource,
  pullArtifact,
  type Settings,
  type SourceOptions,
} from "../../src/index.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { digestOfPattern } from "../support/pattern.ts";
import { serveMemory } from "../support/serve-memory.ts";
import { startFake } from "../support/start-upstream.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { verbWorld } from "./verb-world.ts";

const digest = digestOfPattern(1, 10);

/** Every verb that asks a registry, over a Source with these options; the errors that they end with. */
async function failures(options: Partial<SourceOptions>): Promise<Map<string, unknown>> {
  const directory = await tempDirectory();
  const settings = await loadSettings(undefined, {});
  const source = openSource({ settings, env: { HOME: directory }, ...options });
  onTestFinished(() => source.close());
  const verbs: Record<string, () => Promise<unknown>> = {
    "image digest": () => getImageDigest("alpine:3", { source }),
    "image size": () => getOciImageSize("alpine:3", { source }),
    "model manifest": () => ollamaModelManifest("gemma:2b", { source }),
    "artifact pull": () => pullArtifact("docker.io/org/model:1", join(directory, "model"), { source }),
    "blob fetch": () => fetchImageBlob("docker.io/org/app", digest, join(directory, "blob"), { source }),
  };
  const ended = Object.entries(verbs).map(async ([name, run]) => {
    const error = await run().catch((failure: unknown) => failure);
    return [name, error] as const;
  });
  return new Map(await Promise.all(ended));
}

describe("a Granary that wants a login", () => {
  test("is told from what is not there: exit code 4, and how to log in", async () => {
    const { fake: _, run } = await verbWorld();
    await using granary = await serveMemory({ login: { username: "ann", password: "s3cret" } });
    const host = `127.0.0.1:${granary.hub}`;
    const { code, err } = await run(["image", "digest", "alpine:3", "--via", `http://${host}`]);
    expect(code).toBe(4);
    expect(err.trim().split("\n"), err).toHaveLength(1);
    expect(err).toContain("wants a login (401)");
    expect(err).toContain(`Log in with --username NAME --password-stdin, or by \`docker login ${host}\`.`);
  });

  test("says so to every verb, also to a login that is wrong", async () => {
    await using granary = await serveMemory({ login: { username: "ann", password: "s3cret" } });
    const via = `http://127.0.0.1:${granary.hub}`;
    for (const [verb, error] of await failures({ via })) {
      expect(exitCodeOf(error), `${verb}: ${error}`).toBe(4);
      expect(error).toMatchObject({ message: expect.stringContaining("wants a login (401)") });
      expect(adviceFor(error)).toContain("docker login 127.0.0.1");
    }
    for (const [verb, error] of await failures({
      via,
      credentials: { username: "ann", password: "wrong" },
    })) {
      expect(exitCodeOf(error), `${verb}: ${error}`).toBe(4);
      expect(error).toMatchObject({
        message: expect.stringMatching(/refused the credentials.*log in again/),
      });
      expect(error).not.toMatchObject({ message: expect.stringContaining("wrong") });
    }
    for (const [verb, error] of await failures({
      via,
      credentials: { username: "ann", password: "s3cret" },
    })) {
      expect(exitCodeOf(error), `${verb}: ${error}`).toBe(3);
    }
  });
});

/** The built-in settings, with `fake` and its token server as Docker Hub and as the Ollama registry. */
async function settingsOver(fake: FakeRegistry): Promise<Settings> {
  const settings = await loadSettings(undefined, {});
  const here = { endpoints: [fake.url], internal: true, realms: [new URL(fake.authUrl).hostname] };
  return { ...settings, upstreams: settings.upstreams.map((upstream) => ({ ...upstream, ...here })) };
}

describe("a registry", () => {
  test("that says 401 to strangers after its token server let them in says no more than absent or private", async () => {
    const fake = await startFake({ mode: "hub" });
    for (const [verb, error] of await failures({ settings: await settingsOver(fake) })) {
      expect(exitCodeOf(error), `${verb}: ${error}`).toBe(3);
      expect(error).toMatchObject({ message: expect.stringMatching(/There is no .*or it is private/) });
    }
  });

  test("whose token server refuses the login is exit code 4", async () => {
    const fake = await startFake({ mode: "hub", settings: { users: { alice: "wonderland" } } });
    const credentials = { username: "alice", password: "wrong" };
    for (const [verb, error] of await failures({ settings: await settingsOver(fake), credentials })) {
      expect(exitCodeOf(error), `${verb}: ${error}`).toBe(4);
      expect(error).toMatchObject({
        message: expect.stringContaining("refused the credentials from the caller"),
      });
    }
  });

  test("that says 403 is exit code 4 with what to do", async () => {
    const fake = await startFake({ mode: "plain" });
    fake.fail(/./, { kind: "status", status: 403 }, { times: 1000 });
    for (const [verb, error] of await failures({ via: fake.url })) {
      expect(exitCodeOf(error), `${verb}: ${error}`).toBe(4);
      expect(adviceFor(error), verb).toContain(`docker login ${fake.host}`);
    }
  });
});
