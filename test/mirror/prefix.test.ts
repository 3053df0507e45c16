/** Shows an upstream whose repositories all have a prefix after `/v2`, as in a proxy project of Harbor: no client ever sees it. */
import { describe, expect, it } from "vitest";
import { errorAnswer } from "../../src/http/answers/error-answer.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { manifestUrl, repositoryAt, tagsUrl } from "../../src/upstream/registry-url.ts";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { type MirrorWorld, startWorld, type WorldOptions } from "../support/mirror-world.ts";
import { startFake } from "../support/start-upstream.ts";

const PREFIX = "hub-proxy/mirrors";
const INSIDE = `${PREFIX}/library/alpine`;
const LIFETIME_MS = 600_000;
const credentials = { username: "granary", password: "hunter2" };

/** A Harbor that asks for tokens of the whole name, and a Granary that knows its repositories by the short one. */
async function worldBehindPrefix(options: WorldOptions = {}) {
  const harbor = await startFake({ mode: "hub", settings: { users: { granary: "hunter2" } } });
  const image = harbor.addImage(INSIDE, "3", { layers: [100], format: "oci" });
  const upstream = {
    endpoints: [`${harbor.url}/v2/${PREFIX}`],
    realms: [new URL(harbor.authUrl).hostname],
    ...options.upstream,
  };
  const world = await startWorld({ ...options, upstream });
  return { world, harbor, image };
}

function tellsPrefix(text: unknown): boolean {
  return String(text).includes("hub-proxy");
}

describe("an upstream behind a prefix after /v2", () => {
  it("gives manifests, blobs and their sizes, with tokens for the whole name", async () => {
    const { world, harbor, image } = await worldBehindPrefix();
    const [layer = ""] = image.layerDigests;
    expect((await world.get("library/alpine", "3")).manifest.digest).toBe(image.manifestDigest);
    expect((await world.get("library/alpine", image.manifestDigest)).outcome).toBe("hit");
    expect(await world.stat("library/alpine", image.configDigest)).toMatchObject({ outcome: "miss" });
    expect(await world.read("library/alpine", layer)).toHaveLength(100);
    const scopes = harbor.matching({ origin: "auth" }).map(({ query }) => query.get("scope"));
    expect(new Set(scopes)).toEqual(new Set([`repository:${INSIDE}:pull`]));
    world.clock.aheadMs += LIFETIME_MS;
    expect((await world.head("library/alpine", "3")).outcome).toBe("revalidated");
  });

  it("gives its tags under the name that the client knows, page by page, and while it is down", async () => {
    const { world, harbor } = await worldBehindPrefix();
    harbor.settings.link = "absolute";
    for (const tag of ["1", "2"]) harbor.addImage(INSIDE, tag, { layers: [10] });
    const first = await world.tags("library/alpine", "n=2");
    expect(JSON.parse(first.body)).toEqual({ name: "library/alpine", tags: ["1", "2"] });
    expect(first.next).toBe("last=2&n=2");
    const rest = await world.tags("library/alpine", "n=2&last=2");
    expect(JSON.parse(rest.body)).toEqual({ name: "library/alpine", tags: ["3"] });
    await harbor.pause();
    expect((await world.tags("library/alpine", "n=2")).body).toBe(first.body);
  });

  it("gives its referrers", async () => {
    const { world, harbor, image } = await worldBehindPrefix();
    const subject = { mediaType: OCI_MANIFEST, digest: image.manifestDigest, size: 9 };
    const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: image.configDigest, size: 2 };
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      artifactType: "a/b",
      config,
      layers: [],
      subject,
    };
    harbor.addManifest(INSIDE, undefined, Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST);
    const { body } = await world.referrers("library/alpine", image.manifestDigest);
    expect(JSON.parse(body)).toMatchObject({ mediaType: OCI_INDEX, manifests: [{ artifactType: "a/b" }] });
  });

  it("tells nobody the prefix: not in an answer, an error or a warning", async () => {
    const { world, harbor } = await worldBehindPrefix();
    await world.get("library/alpine", "3");
    const told: unknown[] = [
      await failureText(world.get("library/alpine", "none")),
      await failureText(world.tags("x/y")),
    ];
    harbor.fail(/./, { kind: "status", status: 403 }, { times: 4 });
    told.push(
      await failureText(world.get("library/other", "1")),
      await failureText(world.tags("library/other")),
    );
    world.clock.aheadMs += LIFETIME_MS;
    harbor.fail(/./, { kind: "status", status: 502 }, { times: 1000 });
    told.push((await world.get("library/alpine", "3")).warning, (await world.tags("library/alpine")).warning);
    told.push(
      await failureText(world.get("library/other", "1")),
      await failureText(world.tags("library/other")),
    );
    told.push(await failureText(world.read("library/other", `sha256:${"a".repeat(64)}`)));
    for (const text of told)
      expect(text, String(text)).toSatisfy((each) => each !== undefined && !tellsPrefix(each));
  });

  it("tells public from private by the whole name", async () => {
    const { world, harbor, image } = await worldBehindPrefix({ upstream: { credentials } });
    harbor.addImage(`${PREFIX}/alice/secret`, "1", { layers: [10], seed: 7 });
    harbor.settings.privateRepositories.add(`${PREFIX}/alice/secret`);
    harbor.settings.anonymousLimits.add("manifest");
    expect((await world.get("library/alpine", "3")).manifest.digest).toBe(image.manifestDigest);
    await expect(world.get("alice/secret", "1")).rejects.toMatchObject({ code: "not-found" });
    expect((await world.get("alice/secret", "1", { loggedIn: true })).outcome).toBe("miss");
  });

  it("is looked up in login files by the whole name", async () => {
    const asked: unknown[] = [];
    const lookUp = async (ask: { readonly host: string; readonly repository: string }) => {
      asked.push(ask);
      return { credentials, says: "" };
    };
    const { world, harbor } = await worldBehindPrefix({ upstream: { credentials: lookUp } });
    await world.get("library/alpine", "3");
    expect(new Set(asked.map((each) => JSON.stringify(each)))).toEqual(
      new Set([JSON.stringify({ host: harbor.host, repository: INSIDE })]),
    );
  });

  it("falls back to the registry itself, where repositories have no prefix", async () => {
    const { registry, harbor, world } = await worldWithFallback();
    const image = registry.addImage("library/only-there", "1", { layers: [100] });
    const [layer = ""] = image.layerDigests;
    expect((await world.get("library/only-there", "1")).manifest.digest).toBe(image.manifestDigest);
    expect(await world.read("library/only-there", layer)).toHaveLength(100);
    expect((await world.get("library/alpine", "3")).outcome).toBe("miss");
    expect(harbor.count({ kind: "manifest", repository: INSIDE, status: 200 })).toBe(1);
    expect(JSON.parse((await world.tags("library/only-there")).body)).toMatchObject({
      name: "library/only-there",
    });
  });
});

describe("the URL of an endpoint", () => {
  it.each([
    ["https://r.io", "https://r.io/v2/a/b/manifests/1", "a/b"],
    ["https://r.io/v2/p", "https://r.io/v2/p/a/b/manifests/1", "p/a/b"],
    ["https://r.io/v2/p/q/", "https://r.io/v2/p/q/a/b/manifests/1", "p/q/a/b"],
    ["https://r.io/api/docker/remote", "https://r.io/api/docker/remote/v2/a/b/manifests/1", "a/b"],
    ["https://r.io/base/v2/p", "https://r.io/base/v2/p/a/b/manifests/1", "p/a/b"],
    ["https://r.io/v2/p?ns=docker.io", "https://r.io/v2/p/a/b/manifests/1?ns=docker.io", "p/a/b"],
  ])("%s", (endpoint, url, repository) => {
    expect(manifestUrl(endpoint, "a/b", "1").href).toBe(url);
    expect(repositoryAt(endpoint, "a/b")).toBe(repository);
    expect(tagsUrl(endpoint, "a/b", "").pathname).toContain(`/${repository}/tags/list`);
  });
});

/** What a client of the HTTP face is told. */
async function failureText(asking: Promise<unknown>): Promise<string> {
  const error = await asking.then(
    () => "it did not fail",
    (failure: unknown) => failure,
  );
  return errorAnswer(error, { kind: "manifest", rateLimitedStatus: 429 }).body;
}

async function worldWithFallback(): Promise<{
  registry: FakeRegistry;
  harbor: FakeRegistry;
  world: MirrorWorld;
}> {
  const registry = await startFake({ mode: "plain" });
  const harbor = await startFake({ mode: "plain" });
  harbor.addImage(INSIDE, "3", { layers: [100] });
  const world = await startWorld({ upstream: { endpoints: [`${harbor.url}/v2/${PREFIX}`, registry.url] } });
  return { registry, harbor, world };
}
