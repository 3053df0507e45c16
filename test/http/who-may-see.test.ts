/**
 * Shows who is given private content that is in the cache, by every way in which clients name a registry, and for everything that can be asked
 * for: whoever shows what the registry itself takes for it, and nobody else.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { MANIFEST_UNION } from "../../src/oci/media-types.ts";
import type { FakeImage } from "../support/fake-registry.ts";
import { FACES, type Face } from "../support/private-faces.ts";
import {
  type LoginKind,
  PRIVATE,
  type PrivateRegistry,
  startPrivateRegistry,
} from "../support/private-registry.ts";
import type { WireAnswer, WireRequest } from "../support/wire.ts";

const MINUTE_MS = 60_000;
const accept = MANIFEST_UNION.join(", ");

type Thing = { readonly name: string; readonly path: string; readonly status: number } & WireRequest;

/** Five things, some of them asked for in several ways. */
function thingsOf({ manifestDigest, layerDigests }: FakeImage, tag = "1"): Thing[] {
  const [tagged, digested] = [`manifests/${tag}`, `manifests/${manifestDigest}`];
  const blob = `blobs/${layerDigests[0]}`;
  const ok = { status: 200, headers: { accept } };
  return [
    { name: "a manifest by tag", path: tagged, ...ok },
    { name: "HEAD by tag", path: tagged, method: "HEAD", ...ok },
    {
      ...{ name: "a tag, if it moved", path: tagged, status: 304 },
      headers: { accept, "if-none-match": `"${manifestDigest}"` },
    },
    { name: "a manifest by digest", path: digested, ...ok },
    { name: "HEAD by digest", path: digested, method: "HEAD", ...ok },
    { name: "a blob", path: blob, status: 200 },
    { name: "HEAD of a blob", path: blob, method: "HEAD", status: 200 },
    { name: "a part of a blob", path: blob, status: 206, headers: { range: "bytes=10-19" } },
    { name: "the tags", path: "tags/list", status: 200 },
    { name: "referrers", path: `referrers/${manifestDigest}`, status: 200 },
  ];
}
const QUESTIONS = 5;

async function askFor(
  registry: PrivateRegistry,
  face: Face,
  thing: Thing,
  authorization: string | undefined,
): Promise<WireAnswer> {
  const { path, method = "GET" } = thing;
  const headers = { ...thing.headers, ...(authorization !== undefined && { authorization }) };
  return await face.ask(registry, `${PRIVATE}/${path}`, { method, headers });
}

/** The status of every thing, by its name. */
async function statusesFor(
  registry: PrivateRegistry,
  face: Face,
  authorization: string | undefined,
): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const thing of thingsOf(registry.image)) {
    const answer = await askFor(registry, face, thing, authorization);
    found[thing.name] = answer.status;
    expect(answer.headers["www-authenticate"], `${thing.name} asks nobody for a login`).toBeUndefined();
    if (answer.status >= 400) expectNothingOf(registry, answer);
  }
  return found;
}

/** A refusal carries no byte and no name of what it refuses. */
function expectNothingOf({ image }: PrivateRegistry, { headers, body }: WireAnswer): void {
  const told = `${JSON.stringify(headers)}${body}`.replaceAll(/[^"]* is not there, or is private/g, "");
  expect(told).not.toContain(image.configDigest);
  expect(headers["docker-content-digest"]).toBeUndefined();
  expect(headers["x-cache"]).toBeUndefined();
}

function all(image: FakeImage, status?: number): Record<string, number> {
  return Object.fromEntries(thingsOf(image).map((thing) => [thing.name, status ?? thing.status]));
}

/** As somebody does who logged in at a listener that asks for it: everything is stored then. */
async function warm({ world, image }: PrivateRegistry, tag = "1"): Promise<void> {
  const owner = { loggedIn: true, userAgent: undefined };
  await world.get(PRIVATE, tag, owner);
  await world.get(PRIVATE, image.manifestDigest, owner);
  await world.read(PRIVATE, image.layerDigests[0] ?? "", undefined, owner);
  await world.tags(PRIVATE, "", owner);
  await world.referrers(PRIVATE, image.manifestDigest, undefined, owner);
  await world.fills(0);
}

function sightings({ fake }: PrivateRegistry, authorization: string) {
  return fake.requests.filter(({ headers }) => headers.authorization === authorization);
}

/** No host but the registry saw what a client showed, and nothing here kept it. */
async function expectNoTraceOf(registry: PrivateRegistry, shown: readonly string[]): Promise<void> {
  const { fake, other, log, world } = registry;
  for (const each of shown)
    for (const { origin, path } of sightings(registry, each))
      expect(`${origin} ${path}`).toMatch(/^registry \/v2\/team\/app\//);
  expect(other.requests).toEqual([]);
  expect(fake.violations).toEqual([]);
  expect(log()).toContain("upstream request");
  const kept = [log(), await world.metrics.registry.metrics(), JSON.stringify(await world.mirror.status())];
  const secrets = shown.map((each) => each.replace(/^\S+ /, ""));
  for (const text of [...kept, ...(await filesOf(world.store.layout.directory))])
    for (const secret of secrets) expect(text.includes(secret), "a client's login was kept").toBe(false);
}

async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  // A file that went meanwhile keeps nothing.
  const read = (path: string) => readFile(path, "latin1").catch(() => "");
  return await Promise.all(files.map(({ parentPath, name }) => read(join(parentPath, name))));
}

const KINDS: readonly LoginKind[] = ["basic", "bearer"];
const CASES = KINDS.flatMap((kind) => FACES.map((face) => [kind, face.name, face] as const));

describe.each(CASES)(
  "private content that is stored, to clients with a login of the registry (%s), asked for by %s",
  (kind, _, face) => {
    test("goes to the right login, for one question a minute and thing, and to nobody else", async () => {
      const registry = await startPrivateRegistry(kind);
      const { image, shows, fake, world } = registry;
      await warm(registry);
      const [right, wrong, others] = [
        await shows("ann", "anns secret"),
        await shows("ann", "a wrong secret"),
        await shows("bob", "bobs secret"),
      ];
      fake.forgetRequests();
      for (const refused of [undefined, wrong, others])
        expect(await statusesFor(registry, face, refused)).toEqual(all(image, 404));
      for (let pass = 0; pass < 2; pass++)
        expect(await statusesFor(registry, face, right)).toEqual(all(image));
      expect(sightings(registry, right)).toHaveLength(QUESTIONS);
      // What was confirmed for one client is nothing to another.
      for (const refused of [undefined, wrong, others])
        expect(await statusesFor(registry, face, refused)).toEqual(all(image, 404));
      expect(fake.bytesSentFor(image.layerDigests[0] ?? "")).toBe(0);
      world.clock.aheadMs += MINUTE_MS + 1;
      expect(await statusesFor(registry, face, right)).toEqual(all(image));
      expect(sightings(registry, right)).toHaveLength(2 * QUESTIONS);
      await expectNoTraceOf(registry, [right, wrong, others]);
    });

    test("goes to a login that was revoked for no longer than a minute", async () => {
      const registry = await startPrivateRegistry(kind);
      const { image, shows, revoke, world } = registry;
      await warm(registry);
      const right = await shows("ann", "anns secret");
      expect(await statusesFor(registry, face, right)).toEqual(all(image));
      revoke("ann");
      expect(await statusesFor(registry, face, right)).toEqual(all(image));
      world.clock.aheadMs += MINUTE_MS + 1;
      expect(await statusesFor(registry, face, right)).toEqual(all(image, 404));
      await expectNoTraceOf(registry, [right]);
    });

    test("goes to nobody while the registry cannot be asked", async () => {
      const registry = await startPrivateRegistry(kind);
      const { image, shows, fake } = registry;
      await warm(registry);
      const right = await shows("ann", "anns secret");
      await fake.pause();
      expect(await statusesFor(registry, face, right)).toEqual({ ...all(image, 502), referrers: 503 });
      await expectNoTraceOf(registry, [right]);
    });

    // The other registry shows nothing to anybody without a login.
    if (kind === "basic") return;
    test("that was public before goes to the right login, also what strangers were not given", async () => {
      const registry = await startPrivateRegistry(kind);
      const { image, shows, fake, world } = registry;
      fake.settings.privateRepositories.delete(PRIVATE);
      expect(await statusesFor(registry, face, undefined)).toEqual(all(image));
      fake.settings.privateRepositories.add(PRIVATE);
      // Tokens of the fake know what could be read when they were issued.
      fake.revokeTokens();
      const right = await shows("ann", "anns secret");
      const others = await shows("bob", "bobs secret");
      const late = fake.addImage(PRIVATE, "2", { layers: [700], seed: 9 });
      await warm({ ...registry, image: late }, "2");
      const statusOf = async (shown: string | undefined) => {
        const statuses = [];
        for (const thing of thingsOf(late, "2").filter(({ name }) => name !== "the tags"))
          statuses.push((await askFor(registry, face, thing, shown)).status < 400);
        return new Set(statuses);
      };
      expect(await statusOf(undefined)).toEqual(new Set([false]));
      expect(await statusOf(others)).toEqual(new Set([false]));
      expect(await statusOf(right)).toEqual(new Set([true]));
      world.clock.aheadMs += 60 * MINUTE_MS;
      expect(await statusOf(undefined)).toEqual(new Set([false]));
      expect(await statusOf(right)).toEqual(new Set([true]));
      expect(await statusesFor(registry, face, right)).toEqual(all(image));
      await expectNoTraceOf(registry, [right, others]);
    });
  },
);
