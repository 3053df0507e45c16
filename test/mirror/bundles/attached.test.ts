/** Shows that what is attached to an image travels with it: signatures and SBOMs are found at the other end, without a line and with one. */
import { describe, expect, it } from "vitest";
import { blobFile } from "../../../src/bundle/bundle-index.ts";
import { unpackBundle } from "../../../src/bundle/bundle-tar.ts";
import { type Digest, digestOf } from "../../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { collect } from "../../support/collect.ts";
import { placeImage, placeIndex } from "../../support/fake-images.ts";
import { madeBundle, madeImage } from "../../support/made-bundle.ts";
import { type MirrorWorld, startWorld, UPSTREAM, type WorldOptions } from "../../support/mirror-world.ts";
import { patternBytes } from "../../support/pattern.ts";

const SIGNATURE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const SBOM = "application/spdx+json";
const REPOSITORY = "team/app";

/** A manifest that says that it is attached to `subject`, with one blob, as oras and cosign 3 make it. */
function attachedTo(world: MirrorWorld, subject: Digest, artifactType: string, seed: number): Digest {
  return placeImage(world.fake, REPOSITORY, undefined, {
    config: Buffer.from("{}"),
    configType: "application/vnd.oci.empty.v1+json",
    layers: [{ bytes: patternBytes(seed, 0, 500), mediaType: artifactType }],
    manifest: {
      artifactType,
      annotations: { "org.example.seed": String(seed) },
      subject: { mediaType: OCI_MANIFEST, digest: subject, size: 9 },
    },
  }).digest;
}

function placeApp(world: MirrorWorld) {
  const image = placeImage(world.fake, REPOSITORY, "1", { layers: [patternBytes(1, 0, 1_000)] });
  return image.digest;
}

async function pullAttached(world: MirrorWorld, digest: Digest): Promise<void> {
  const { manifest } = await world.get(REPOSITORY, digest);
  const { config, layers } = JSON.parse(Buffer.from(manifest.bytes).toString()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  for (const blob of [config, ...layers]) await world.read(REPOSITORY, blob.digest);
}

async function exported(
  world: MirrorWorld,
  more: { readonly attestations?: boolean; readonly fetch?: boolean },
) {
  const { report, chunks } = await world.mirror.bundles.prepare({
    ...{ patterns: [`${UPSTREAM}/${REPOSITORY}:1`], platforms: { kind: "stored" } },
    ...{ attestations: false, fetch: true, ...more },
  });
  return { report, bundle: Buffer.concat(await collect(chunks())) };
}

async function importInto(world: MirrorWorld, bundle: Uint8Array, as?: string) {
  const options = { replace: false, dryRun: false, ...(as !== undefined && { as }) };
  return await world.mirror.imports.run([bundle] as never, options);
}

async function withoutALine(options: WorldOptions = {}): Promise<MirrorWorld> {
  const world = await startWorld(options);
  await world.fake.pause();
  return world;
}

async function typesAt(world: MirrorWorld, subject: Digest, type?: string, repository = REPOSITORY) {
  const { body } = await world.referrers(repository, subject, type);
  const { manifests } = JSON.parse(body) as { manifests: { artifactType: string; digest: Digest }[] };
  return manifests.map(({ artifactType }) => artifactType).sort();
}

describe("what is attached to an image and was pulled", () => {
  it("comes with it, is listed at the other end, and can be pulled there", async () => {
    const world = await startWorld();
    const app = placeApp(world);
    const signature = attachedTo(world, app, SIGNATURE, 11);
    const sbom = attachedTo(world, app, SBOM, 12);
    const onSbom = attachedTo(world, sbom, SIGNATURE, 13);
    await world.get(REPOSITORY, "1");
    for (const digest of [app, sbom]) await world.referrers(REPOSITORY, digest);
    for (const digest of [signature, sbom, onSbom]) await pullAttached(world, digest);
    await world.fills(0);
    world.fake.forgetRequests();
    const { report, bundle } = await exported(world, {});
    expect(world.fake.count({ kind: "referrers" }), "nobody is asked for more").toBe(0);
    const name = `${UPSTREAM}/${REPOSITORY}`;
    expect(report.names.slice(1)).toHaveLength(3);
    expect(report.names).toMatchObject([{ name: `${name}:1` }, {}, {}, {}]);
    expect(report.names).toContainEqual(
      expect.objectContaining({ name: `${name}@${onSbom}`, attachedTo: `${name}@${sbom}` }),
    );

    const away = await withoutALine();
    expect((await importInto(away, bundle)).names.map(({ outcome }) => outcome)).toEqual(
      Array(4).fill("imported"),
    );
    expect(await typesAt(away, app)).toEqual([SBOM, SIGNATURE].sort());
    expect(await typesAt(away, app, SBOM)).toEqual([SBOM]);
    expect(await typesAt(away, sbom)).toEqual([SIGNATURE]);
    // Clients ask what refers to each of them as well, and give up at an error (oras discover).
    for (const last of [signature, onSbom]) expect(await typesAt(away, last)).toEqual([]);
    const listed = JSON.parse((await away.referrers(REPOSITORY, app, SBOM)).body);
    expect(listed).toMatchObject({
      mediaType: OCI_INDEX,
      manifests: [{ digest: sbom, mediaType: OCI_MANIFEST, annotations: { "org.example.seed": "12" } }],
    });
    await away.restart();
    for (const digest of [signature, sbom, onSbom]) await pullAttached(away, digest);
    expect(await typesAt(away, app)).toHaveLength(2);
    expect((await importInto(away, bundle)).names.map(({ outcome }) => outcome)).toEqual(
      Array(4).fill("present"),
    );
  });

  it("stays out where it is not wholly here, and is fetched with attestations", async () => {
    const world = await startWorld();
    const app = placeApp(world);
    const signature = attachedTo(world, app, SIGNATURE, 11);
    await world.get(REPOSITORY, "1");
    await world.referrers(REPOSITORY, app);
    await world.get(REPOSITORY, signature);
    expect((await exported(world, {})).report.names).toHaveLength(1);
    const later = attachedTo(world, app, SBOM, 12);
    world.clock.aheadMs += 600_000;
    const { report, bundle } = await exported(world, { attestations: true });
    expect(report.names.map(({ name }) => name)).toContain(`${UPSTREAM}/${REPOSITORY}@${later}`);
    const names: string[] = [];
    for await (const { name } of unpackBundle([bundle] as never)) names.push(name);
    expect(names).toContain(blobFile(signature));
    expect(names, "each once").toHaveLength(new Set(names).size);
    const away = await withoutALine();
    await importInto(away, bundle);
    expect(await typesAt(away, app)).toEqual([SBOM, SIGNATURE].sort());
  });

  it("is found when the other end has a line, whose registry lists others or does not know the image", async () => {
    const world = await startWorld();
    const app = placeApp(world);
    attachedTo(world, app, SIGNATURE, 11);
    const { bundle } = await exported(world, { attestations: true });
    const other = await startWorld();
    await importInto(other, bundle);
    expect(await typesAt(other, app)).toEqual([SIGNATURE]);
    placeApp(other);
    attachedTo(other, app, SBOM, 12);
    other.clock.aheadMs += 600_000;
    expect(await typesAt(other, app)).toEqual([SBOM, SIGNATURE].sort());
    attachedTo(other, app, SIGNATURE, 11);
    other.clock.aheadMs += 600_000;
    expect(await typesAt(other, app), "the same one is listed once").toEqual([SBOM, SIGNATURE].sort());
  });

  it("to an index: its images have an empty list where they were carried, and none is made up for others", async () => {
    const world = await startWorld();
    const child = placeImage(world.fake, REPOSITORY, undefined, { layers: [patternBytes(1, 0, 900)] });
    const other = placeImage(world.fake, REPOSITORY, undefined, { layers: [patternBytes(2, 0, 900)] });
    const index = placeIndex(world.fake, REPOSITORY, "1", [
      { ...child, platform: "linux/amd64" },
      { ...other, platform: "linux/arm64" },
    ]);
    attachedTo(world, index.digest, SIGNATURE, 11);
    const { bundle } = await exported(world, { attestations: true });
    const away = await withoutALine();
    await importInto(away, bundle);
    expect(await typesAt(away, index.digest)).toEqual([SIGNATURE]);
    expect(await typesAt(away, child.digest)).toEqual([]);
    await expect(away.referrers(REPOSITORY, other.digest)).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
  });

  it("goes with the repository when that is removed", async () => {
    const world = await startWorld();
    const app = placeApp(world);
    attachedTo(world, app, SIGNATURE, 11);
    const { bundle } = await exported(world, { attestations: true });
    const away = await withoutALine();
    await importInto(away, bundle);
    const leaving = { upstream: UPSTREAM, repository: REPOSITORY };
    expect(await away.contents.referrersIn(leaving, app, 10)).toHaveLength(1);
    await away.mirror.contents.remove(`${UPSTREAM}/${REPOSITORY}`, {});
    expect(await away.contents.referrersIn(leaving, app, 10)).toEqual([]);
    await expect(away.referrers(REPOSITORY, app)).rejects.toMatchObject({ code: "upstream-unavailable" });
  });
});

it("signatures under tags of cosign come with the image", async () => {
  const world = await startWorld();
  const app = placeApp(world);
  const tag = `${app.replace(":", "-")}.sig`;
  placeImage(world.fake, REPOSITORY, tag, {
    layers: [
      { bytes: patternBytes(5, 0, 90), mediaType: "application/vnd.dev.cosign.simplesigning.v1+json" },
    ],
  });
  expect((await exported(world, {})).report.names, "nobody has pulled it").toHaveLength(1);
  const { bundle, report } = await exported(world, { attestations: true });
  expect(report.names).toMatchObject([{}, { name: `${UPSTREAM}/${REPOSITORY}:${tag}` }]);
  const away = await withoutALine();
  await importInto(away, bundle);
  const { manifest } = await away.get(REPOSITORY, tag);
  expect(manifest.bytes.length).toBeGreaterThan(0);
  world.fake.forgetRequests();
  for (const digest of [manifest.digest]) await pullAttached(away, digest);
});

describe("a layout of another program", () => {
  /** Referrers have no name of their own there: oras lists them without one. */
  async function layout() {
    const image = madeImage(1);
    const subject = { mediaType: image.mediaType, digest: image.digest, size: image.manifest.length };
    const blob = Buffer.from("a signature");
    const manifest = Buffer.from(
      JSON.stringify({
        ...{ schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: SIGNATURE, subject },
        config: { mediaType: "application/vnd.oci.empty.v1+json", digest: digestOf(blob), size: blob.length },
        layers: [],
      }),
    );
    const signature = {
      ...{ digest: digestOf(manifest), mediaType: OCI_MANIFEST, manifest, blobs: [blob], children: [] },
    };
    return { image, signature };
  }

  it("brings what is attached into the repository of the image, also under a name that is given", async () => {
    const { image, signature } = await layout();
    const away = await withoutALine();
    const bundle = await madeBundle({ [`${UPSTREAM}/${REPOSITORY}:1`]: image, "": signature });
    expect((await importInto(away, bundle)).names).toMatchObject([
      { outcome: "imported" },
      { outcome: "imported", name: `${UPSTREAM}/${REPOSITORY}@${signature.digest}` },
    ]);
    expect(await typesAt(away, image.digest)).toEqual([SIGNATURE]);
    const given = await importInto(away, bundle, `${UPSTREAM}/other/app:2`);
    expect(given.names).toMatchObject([
      { name: `${UPSTREAM}/other/app:2` },
      { name: `${UPSTREAM}/other/app@${signature.digest}`, outcome: "imported" },
    ]);
    expect(await typesAt(away, image.digest, undefined, "other/app")).toEqual([SIGNATURE]);
  });
});

describe("clients that did not log in", () => {
  it("find what was imported, and nothing that the registry shows to its owner alone", async () => {
    const world = await startWorld();
    const app = placeApp(world);
    attachedTo(world, app, SIGNATURE, 11);
    const { bundle } = await exported(world, { attestations: true });
    const away = await startWorld({
      mode: "hub",
      settings: { users: { granary: "hunter2" } },
      upstream: { credentials: { username: "granary", password: "hunter2" } },
    });
    placeApp(away);
    attachedTo(away, app, SBOM, 12);
    away.fake.settings.privateRepositories.add(REPOSITORY);
    await importInto(away, bundle);
    expect(await typesAt(away, app)).toEqual([SIGNATURE]);
    const owner = await away.referrers(REPOSITORY, app, undefined, { loggedIn: true, userAgent: undefined });
    expect(JSON.parse(owner.body).manifests).toHaveLength(2);
    expect(await typesAt(away, app), "also when the owner's list is here").toEqual([SIGNATURE]);
    await away.fake.pause();
    away.clock.aheadMs += 3_600_000;
    expect(await typesAt(away, app)).toEqual([SIGNATURE]);
  });
});
