/** Shows what stays when the database becomes too large: what is kept, and what nobody could bring back now; and that the owner is told. */
import { expect, it } from "vitest";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../../support/mirror-world.ts";
import { eventually } from "../../support/patience.ts";
import { startFake } from "../../support/start-upstream.ts";
import { upstreamOf } from "../../support/upstream-of.ts";

const OTHER = "other.test";
const BOUND = 2 * MiB;
const OCI = "application/vnd.oci.image.manifest.v1+json";

/** Puts a manifest of `size` bytes there. */
function place(fake: FakeRegistry, repository: string, tag: string, size: number) {
  const annotations = { note: `${repository}:${tag} `.padEnd(size, "x") };
  const config = fake.addBlob(Buffer.from(`{"repository":"${repository}"}`), repository);
  const descriptor = { mediaType: "application/vnd.oci.image.config.v1+json", digest: config, size: 20 };
  const document = { schemaVersion: 2, mediaType: OCI, config: descriptor, layers: [], annotations };
  return fake.addManifest(repository, tag, Buffer.from(JSON.stringify(document)), OCI);
}

/** A world with a second registry, and what is pulled from that until the database is too large. */
async function crowded(options: Parameters<typeof startWorld>[0] = {}) {
  const other = await startFake({ mode: "plain" });
  const world = await startWorld({
    databaseBytes: BOUND,
    others: [upstreamOf(other, { name: OTHER })],
    ...options,
  });
  let count = 0;
  const crowd = async (times = 60) => {
    for (let index = 0; index < times; index++) {
      count += 1;
      place(other, `crowd/${count}`, "1", 60_000);
      await world.get(`crowd/${count}`, "1", { upstream: OTHER });
    }
  };
  const storedTags = async (repository: string) =>
    (await world.metadata.tagsOf({ upstream: UPSTREAM, repository })).length;
  return { world, other, crowd, storedTags };
}

async function isStored(world: MirrorWorld, digest: ReturnType<typeof place>): Promise<boolean> {
  return (await world.metadata.manifest(digest)) !== undefined;
}

it("what is kept is served with the registry gone, also after others' manifests filled the database", async () => {
  const { world, crowd, storedTags } = await crowded({ keep: [`${UPSTREAM}/a/kept`] });
  const kept = place(world.fake, "a/kept", "1", 1_000);
  const notKept = place(world.fake, "a/other", "1", 1_000);
  await world.get("a/kept", "1");
  await world.get("a/other", "1");
  // The registry of both answers: what is not kept can be learned again.
  await eventually(async () => {
    await crowd(20);
    expect(await isStored(world, notKept)).toBe(false);
  });
  expect([await isStored(world, kept), await storedTags("a/kept")]).toEqual([true, 1]);
  expect(await world.metadata.size()).toBeLessThanOrEqual(BOUND);
  await world.restart();
  await world.mirror.offline.set(true, UPSTREAM, false);
  expect((await world.get("a/kept", "1")).manifest.digest).toBe(kept);
  expect((await world.mirror.status()).troubles).toEqual([]);
});

it.each(["set offline", "down since before the start"] as const)(
  "a tag's only manifest stays while its registry is %s",
  async (how) => {
    const { world, crowd } = await crowded({ upstream: { policy: { attempts: 1 } } });
    const only = place(world.fake, "a/b", "1", 1_000);
    await world.get("a/b", "1");
    if (how === "set offline") await world.mirror.offline.set(true, UPSTREAM, false);
    else world.fake.fail(() => true, { kind: "status", status: 503 }, { times: Number.POSITIVE_INFINITY });
    await world.restart();
    await crowd();
    expect(await isStored(world, only)).toBe(true);
    expect((await world.get("a/b", "1")).manifest.digest).toBe(only);
  },
);

it("the owner is told when what is kept takes more than the database may, and pulls go on", async () => {
  const { world, crowd } = await crowded();
  await world.mirror.contents.keep(`${OTHER}/crowd/**`, false);
  await crowd();
  const { troubles } = await world.mirror.status();
  expect(troubles).toEqual([
    expect.stringMatching(
      /^The database takes \d.* MiB, and its part of storage.maxSize is 2(\.0)? MiB: .*Keep less/,
    ),
  ]);
  await world.mirror.contents.unkeep(`${OTHER}/crowd/**`, false);
  // Some goes with each write; how many it takes depends on when what is kept was read again.
  await eventually(async () => {
    await crowd(1);
    expect((await world.mirror.status()).troubles).toEqual([]);
    expect(await world.metadata.size()).toBeLessThanOrEqual(BOUND);
  });
});
