/** Shows that a node of a fleet looks for what another one has just recorded before it asks a registry for it (G10). */
import { expect, test } from "vitest";
import type { FleetPart } from "../../src/mirror/mirror-parts.ts";
import type { Manifest } from "../../src/oci/manifest.ts";
import { fleetPart } from "../support/fleet-part.ts";
import { type MirrorWorld, startWorld, UPSTREAM } from "../support/mirror-world.ts";

/** `meanwhile` is what another node does before this one has its turn. */
function fleetWith(meanwhile: (key: string) => Promise<void>): FleetPart & { readonly keys: string[] } {
  const keys: string[] = [];
  const one: FleetPart["turns"]["one"] = async ({ key, ask, look }) => {
    keys.push(key.split("\n")[0] ?? "");
    await meanwhile(key);
    return (await look()) ?? (await ask());
  };
  return { keys, ...fleetPart({ turns: { one } }) };
}

/** An image at the registry, as another node would have its manifest. */
async function addedImage({ fake }: MirrorWorld): Promise<Manifest> {
  const { manifestDigest: digest } = fake.addImage("library/a", "1", { layers: [10] });
  const answer = await fetch(`${fake.url}/v2/library/a/manifests/${digest}`, {
    headers: { connection: "close" },
  });
  const mediaType = answer.headers.get("content-type") ?? "";
  return { digest, mediaType, bytes: Buffer.from(await answer.arrayBuffer()) };
}

const WHERE = { upstream: UPSTREAM, repository: "library/a" };

test("G10: a document that another node has fetched meanwhile is not fetched again", async () => {
  let record = async () => {};
  const fleet = fleetWith(() => record());
  const world = await startWorld({ fleet });
  const manifest = await addedImage(world);
  const before = world.fake.count({ kind: "manifest" });
  record = () => world.metadata.recordManifest(WHERE, manifest, []);
  const answer = await world.get("library/a", manifest.digest);
  expect(answer.manifest.digest).toBe(manifest.digest);
  expect(fleet.keys).toEqual(["manifest"]);
  expect(world.fake.count({ kind: "manifest" }) - before).toBe(0);
});

test("G10: what another repository has of it is no answer: knowing a digest permits nothing", async () => {
  let record = async () => {};
  const world = await startWorld({ fleet: fleetWith(() => record()) });
  const manifest = await addedImage(world);
  const before = world.fake.count({ kind: "manifest" });
  record = () => world.metadata.recordManifest({ ...WHERE, repository: "library/other" }, manifest, []);
  await world.get("library/a", manifest.digest);
  expect(world.fake.count({ kind: "manifest" }) - before).toBe(1);
});

test("G10: a tag that another node has asked for meanwhile is not asked for again", async () => {
  let record = async () => {};
  const fleet = fleetWith(() => record());
  const world = await startWorld({ fleet });
  const manifest = await addedImage(world);
  const before = world.fake.count({ kind: "manifest" });
  record = async () => {
    await world.metadata.recordManifest(WHERE, manifest, []);
    const { digest, mediaType, bytes } = manifest;
    const tag = { ...WHERE, tag: "1", acceptClass: "", digest, mediaType, size: bytes.length };
    await world.metadata.recordTag({ ...tag, checkedAt: Date.now() });
  };
  const answer = await world.get("library/a", "1");
  expect(answer.manifest.digest).toBe(manifest.digest);
  expect(fleet.keys).toEqual(["tag"]);
  expect(world.fake.count({ kind: "manifest" }) - before).toBe(0);
});
