/** Shows which blobs clients are sent to the bucket of a fleet for: only what everybody may have (G11). */
import { expect, test } from "vitest";
import type { FleetPart } from "../../../src/mirror/mirror-parts.ts";
import type { Digest } from "../../../src/oci/digest.ts";
import { fleetPart } from "../../support/fleet-part.ts";
import { startWorld, UPSTREAM } from "../../support/mirror-world.ts";

const asker = { loggedIn: true, userAgent: undefined };

/** A fleet in which everything is stored. */
function everywhere(): FleetPart & { readonly asked: Digest[] } {
  const asked: Digest[] = [];
  const addressOf = async (digest: Digest) => {
    asked.push(digest);
    return `https://store.lab/${digest}?X-Amz-Signature=secret`;
  };
  return { asked, ...fleetPart({ addressOf }) };
}

const target = (digest: Digest, repository = "library/a") =>
  ({ kind: "blob", upstream: UPSTREAM, repository, digest }) as const;

test("G11: a blob of a public repository has an address, until it is on this disk", async () => {
  const world = await startWorld({ fleet: everywhere() });
  const digest = world.fake.addGeneratedBlob({ seed: 1, size: 1000 }, "library/a");
  expect(await world.mirror.blobAddress?.(target(digest), asker)).toContain(digest);
  const found = await world.mirror.blob(target(digest), asker);
  const reader = found.blob.reader();
  for (const into = new Uint8Array(2000); (await reader.read(into)) > 0; );
  reader.close();
  found.blob.release();
  await expect.poll(async () => await world.mirror.blobAddress?.(target(digest), asker)).toBeUndefined();
});

test("G11: nothing that needs our login has one, for whoever logs in, and nothing that its repository does not have", async () => {
  const fleet = everywhere();
  const world = await startWorld({
    fleet,
    upstream: { credentials: { username: "granary", password: "hunter2" } },
  });
  const digest = world.fake.addGeneratedBlob({ seed: 2, size: 1000 }, "library/a");
  expect(await world.mirror.blobAddress?.(target(digest), asker)).toBeUndefined();
  expect(fleet.asked).toEqual([]);
});

test("G11: knowing a digest gives no address: the repository has to have it", async () => {
  const fleet = everywhere();
  const world = await startWorld({ fleet });
  const digest = world.fake.addGeneratedBlob({ seed: 3, size: 1000 }, "library/other");
  await expect(world.mirror.blobAddress?.(target(digest), asker)).rejects.toMatchObject({
    code: "not-found",
  });
  expect(fleet.asked).toEqual([]);
});

test("a Mirror that is not one of a fleet has no addresses", async () => {
  const world = await startWorld();
  expect(world.mirror.blobAddress).toBeUndefined();
});
