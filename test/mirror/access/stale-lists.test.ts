/** Shows that a list which somebody with a login has fetched is not given to strangers as the last one, once they may not read it. */
import { describe, expect, it } from "vitest";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import type { FakeSettings } from "../../support/fake-registry.ts";
import { type MirrorWorld, startWorld } from "../../support/mirror-world.ts";

const loggedIn = { loggedIn: true, userAgent: undefined };
const SECRET = "secret-name";
const UNKNOWN = { code: "upstream-unavailable" };

/** A stranger's token counts for a minute. */
const TOKEN_MS = 60_001;

/** A registry that Granary logs in to, with a repository that everybody may read. */
async function publicWorld(settings: Partial<FakeSettings> = {}) {
  const world = await startWorld({
    mode: "hub",
    settings: { users: { granary: "hunter2" }, ...settings },
    upstream: { credentials: { username: "granary", password: "hunter2" } },
  });
  const { manifestDigest: subject } = world.fake.addImage("team/app", "old", { layers: [100] });
  return { world, subject };
}

/** The repository becomes private, and something is added that only its people may know of. */
function turnPrivate(world: MirrorWorld, subject: string): void {
  world.fake.settings.privateRepositories.add("team/app");
  world.fake.revokeTokens();
  world.fake.addImage("team/app", SECRET, { layers: [1], seed: 3 });
  sign(world, subject);
}

function sign(world: MirrorWorld, subject: string): void {
  const of = { mediaType: OCI_MANIFEST, digest: subject, size: 9 };
  const config = { mediaType: "application/vnd.oci.empty.v1+json", digest: subject, size: 2 };
  const facts = { schemaVersion: 2, artifactType: `application/${SECRET}`, config, layers: [], subject: of };
  const manifest = Buffer.from(JSON.stringify({ ...facts, mediaType: OCI_MANIFEST }));
  const digest = world.fake.addManifest("team/app", undefined, manifest, OCI_MANIFEST);
  if (world.fake.settings.referrers === "native") return;
  const item = { mediaType: OCI_MANIFEST, digest, size: 9, artifactType: `application/${SECRET}` };
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: [item] };
  world.fake.addManifest(
    "team/app",
    subject.replace(":", "-"),
    Buffer.from(JSON.stringify(index)),
    OCI_INDEX,
  );
}

/** While the verdict is young, when it is old, and after a restart. */
async function whileItIsDown(world: MirrorWorld, look: () => Promise<void>): Promise<void> {
  await world.fake.pause();
  await look();
  world.clock.aheadMs += 3_600_000;
  await look();
  await world.restart();
  await look();
}

describe("while a registry is down in which a repository turned private unseen", () => {
  it("strangers get no tags that somebody with a login has listed since", async () => {
    const { world, subject } = await publicWorld();
    await world.get("team/app", "old");
    await world.tags("team/app");
    turnPrivate(world, subject);
    world.clock.aheadMs += TOKEN_MS;
    expect((await world.tags("team/app", "", loggedIn)).body).toContain(SECRET);
    await whileItIsDown(world, async () => {
      await expect(world.tags("team/app")).rejects.toMatchObject(UNKNOWN);
      await expect(world.tags("team/app", "n=5")).rejects.toMatchObject(UNKNOWN);
      expect((await world.tags("team/app", "", loggedIn)).body).toContain(SECRET);
    });
  });

  it("strangers get no tags that somebody with a login has pulled since", async () => {
    const { world, subject } = await publicWorld();
    await world.get("team/app", "old");
    turnPrivate(world, subject);
    world.clock.aheadMs += TOKEN_MS;
    await world.get("team/app", SECRET, { ...loggedIn, accept: [] });
    await whileItIsDown(world, async () => {
      await expect(world.tags("team/app")).rejects.toMatchObject(UNKNOWN);
      expect((await world.tags("team/app", "", loggedIn)).body).toContain(SECRET);
    });
  });

  it.each(["native", "404"] as const)(
    "strangers get no signatures that somebody with a login has listed since (referrers: %s)",
    async (referrers) => {
      const { world, subject } = await publicWorld({ referrers });
      await world.get("team/app", "old");
      await world.referrers("team/app", subject);
      turnPrivate(world, subject);
      world.clock.aheadMs += TOKEN_MS;
      expect((await world.referrers("team/app", subject, undefined, loggedIn)).body).toContain(SECRET);
      await whileItIsDown(world, async () => {
        await expect(world.referrers("team/app", subject)).rejects.toMatchObject(UNKNOWN);
        expect((await world.referrers("team/app", subject, undefined, loggedIn)).body).toContain(SECRET);
      });
    },
  );
});

it("a registry that limits strangers keeps new signatures from them, though they know the image", async () => {
  const { world, subject } = await publicWorld({ tokenForm: "opaque" });
  await world.get("team/app", "old");
  turnPrivate(world, subject);
  world.fake.settings.anonymousLimits = new Set(["manifest", "blob", "tags", "token"]);
  world.clock.aheadMs += 60_000;
  await expect(world.referrers("team/app", subject)).rejects.toMatchObject({ code: "rate-limited" });
});

describe("while a registry is down", () => {
  it("strangers still get the lists that they got before", async () => {
    const { world, subject } = await publicWorld();
    sign(world, subject);
    await world.tags("team/app");
    world.clock.aheadMs += 1_000;
    await world.referrers("team/app", subject);
    await whileItIsDown(world, async () => {
      expect((await world.tags("team/app")).outcome).toBe("stale");
      expect((await world.referrers("team/app", subject)).body).toContain(SECRET);
    });
  });

  it("strangers still get the tags that they pulled before, as a list", async () => {
    const { world } = await publicWorld();
    await world.get("team/app", "old");
    await whileItIsDown(world, async () => expect((await world.tags("team/app")).body).toContain('"old"'));
  });

  it("strangers get what somebody with a login has listed before the repository was last seen public", async () => {
    const { world } = await publicWorld();
    await world.tags("team/app", "", loggedIn);
    world.clock.aheadMs += 1_000;
    await world.get("team/app", "old");
    await whileItIsDown(world, async () => expect((await world.tags("team/app")).outcome).toBe("stale"));
  });
});
