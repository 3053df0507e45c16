/**
 * Shows who is given private content through the proxy: whoever shows what the registry itself takes for it, from the cache; all others get the
 * registry's own refusal and challenge.
 */
import { describe, expect, test } from "vitest";
import { MANIFEST_UNION } from "../../../src/oci/media-types.ts";
import { PRIVATE, type PrivateRegistry, startPrivateRegistry } from "../../support/private-registry.ts";
import { askThrough, type ThroughAnswer } from "../../support/proxied.ts";
import { trusted } from "../../support/proxy-world.ts";

const NAME = "127.0.0.1:443";
const accept = MANIFEST_UNION.join(", ");

type Thing = {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly status: number;
};

function thingsOf({ image: { manifestDigest, layerDigests } }: PrivateRegistry): readonly Thing[] {
  const blob = `blobs/${layerDigests[0]}`;
  return [
    { path: "manifests/1", headers: { accept }, status: 200 },
    { path: "manifests/1", method: "HEAD", headers: { accept }, status: 200 },
    { path: `manifests/${manifestDigest}`, headers: { accept }, status: 200 },
    { path: `manifests/${manifestDigest}`, method: "HEAD", headers: { accept }, status: 200 },
    { path: blob, status: 200 },
    { path: blob, method: "HEAD", status: 200 },
    { path: blob, headers: { range: "bytes=10-19" }, status: 206 },
    { path: "tags/list", status: 200 },
    { path: `referrers/${manifestDigest}`, status: 200 },
  ];
}

function askFor(
  { ports }: PrivateRegistry,
  { path, method = "GET", headers = {} }: Thing,
  authorization: string | undefined,
): Promise<ThroughAnswer> {
  const shown = authorization === undefined ? {} : { authorization };
  return askThrough(ports.proxy, NAME, `/v2/${PRIVATE}/${path}`, {
    method,
    headers: { ...headers, ...shown },
    ca: trusted,
  });
}

async function answersFor(
  registry: PrivateRegistry,
  authorization: string | undefined,
): Promise<ThroughAnswer[]> {
  const answers: ThroughAnswer[] = [];
  for (const thing of thingsOf(registry)) answers.push(await askFor(registry, thing, authorization));
  return answers;
}

async function warm({ world, image }: PrivateRegistry): Promise<void> {
  const owner = { loggedIn: true, userAgent: undefined };
  await world.get(PRIVATE, "1", owner);
  await world.get(PRIVATE, image.manifestDigest, owner);
  await world.read(PRIVATE, image.layerDigests[0] ?? "", undefined, owner);
  await world.tags(PRIVATE, "", owner);
  await world.referrers(PRIVATE, image.manifestDigest, undefined, owner);
  await world.fills(0);
}

const isRefused = ({ status }: ThroughAnswer) => [401, 403, 404].includes(status);

describe.each(["basic", "bearer"] as const)(
  "private content that is stored, at a registry with %s",
  (kind) => {
    test("the right login gets it from the cache, all others the registry's own refusal", async () => {
      const registry = await startPrivateRegistry(kind);
      await warm(registry);
      const { fake, image, shows, log } = registry;
      const right = await shows("ann", "anns secret");
      const refused = [undefined, await shows("ann", "a wrong secret"), await shows("bob", "bobs secret")];
      for (const shown of refused) {
        const answers = await answersFor(registry, shown);
        expect(answers.filter(isRefused)).toHaveLength(answers.length);
        if (shown !== undefined) continue;
        for (const { headers } of answers) expect(headers["www-authenticate"]).toMatch(/^(?:Basic|Bearer) /);
      }
      // Refusals have bodies too.
      const before = fake.bytesSentFor(image.layerDigests[0] ?? "");
      const answers = await answersFor(registry, right);
      expect(answers.map(({ status }) => status)).toEqual(thingsOf(registry).map(({ status }) => status));
      // What the confirmations cost is no byte of the blob, but where a registry's HEAD does not tell.
      expect(fake.bytesSentFor(image.layerDigests[0] ?? "") - before).toBeLessThanOrEqual(1);
      for (const secret of [right, ...refused])
        if (secret !== undefined) expect(log()).not.toContain(secret.replace(/^\S+ /, ""));
    });

    test("a login that was revoked gets nothing a minute later", async () => {
      const registry = await startPrivateRegistry(kind);
      await warm(registry);
      const right = await registry.shows("ann", "anns secret");
      const [manifest] = thingsOf(registry);
      if (manifest === undefined) throw new Error("there is a manifest");
      expect((await askFor(registry, manifest, right)).status).toBe(200);
      registry.revoke("ann");
      registry.world.clock.aheadMs += 61_000;
      expect(isRefused(await askFor(registry, manifest, right))).toBe(true);
    });

    test("while the registry is away nobody is given it, because nobody can be confirmed", async () => {
      const registry = await startPrivateRegistry(kind);
      await warm(registry);
      const right = await registry.shows("ann", "anns secret");
      await registry.fake.pause();
      for (const thing of thingsOf(registry).slice(0, 5))
        for (const shown of [undefined, right]) {
          const { status, headers } = await askFor(registry, thing, shown);
          expect(status).toBeGreaterThanOrEqual(400);
          expect(headers["docker-content-digest"]).toBeUndefined();
        }
      await registry.fake.resume();
    });
  },
);

test("a repository that turned private is the registry's own refusal to strangers, and goes to the right login", async () => {
  const registry = await startPrivateRegistry("bearer");
  const { fake, shows, world } = registry;
  fake.settings.privateRepositories.delete(PRIVATE);
  const statuses = thingsOf(registry).map(({ status }) => status);
  expect((await answersFor(registry, undefined)).map(({ status }) => status)).toEqual(statuses);
  fake.settings.privateRepositories.add(PRIVATE);
  // Tokens of the fake know what could be read when they were issued.
  fake.revokeTokens();
  world.clock.aheadMs += 60 * 60_000;
  const right = await shows("ann", "anns secret");
  const refused = await answersFor(registry, undefined);
  expect(refused.map(isRefused)).toEqual(refused.map(() => true));
  for (const { headers } of refused) expect(headers["www-authenticate"]).toMatch(/^Bearer /);
  expect((await answersFor(registry, right)).map(({ status }) => status)).toEqual(statuses);
});
