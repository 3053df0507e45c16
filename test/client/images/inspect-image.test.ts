/** Shows what is told of an image: plain JSON, nothing left out that is known, nothing made up. */
import { expect, it } from "vitest";
import { imageFrom } from "../../../src/client/images/image.ts";
import { describeImage } from "../../../src/client/images/inspect-image.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { OCI_CONFIG, OCI_LAYER, placeImage, placeIndex } from "../../support/fake-images.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";

const LAYERS = [Buffer.from("bottom"), Buffer.from("top")];
const DIFF_IDS = ["plain bottom", "plain top"].map((text) => digestOf(Buffer.from(text)));
const RUN = { Entrypoint: ["/app"], Cmd: ["-v"], Env: ["A=b"], Labels: { "org.acme": "1" }, User: "1000" };

it("an image out of an index is told with everything that is known of it", async () => {
  const fake = await startFake({ mode: "plain" });
  const child = placeImage(fake, "a/b", undefined, {
    platform: "linux/arm/v7",
    config: {
      created: "2024-01-02T03:04:05Z",
      author: "somebody",
      config: RUN,
      rootfs: { type: "layers", diff_ids: DIFF_IDS },
    },
    layers: LAYERS,
    manifest: { annotations: { "org.opencontainers.image.version": "1.2" } },
  });
  const other = placeImage(fake, "a/b", undefined, { platform: "linux/amd64" });
  const index = placeIndex(fake, "a/b", "1", [
    { ...other, platform: "linux/amd64" },
    { ...child, platform: "linux/arm/v7" },
    { ...other, platform: "unknown/unknown" },
  ]);
  const platform = parsePlatform("linux/arm/v7");
  const image = await imageFrom(sourceOf(fake), parseReference("fake.test/a/b:1"), { platform });
  const told = describeImage(image);
  expect(JSON.parse(JSON.stringify(told))).toEqual(told);
  expect(told).toEqual({
    reference: "fake.test/a/b:1",
    digest: child.digest,
    mediaType: OCI_MANIFEST,
    index: { digest: index.digest, mediaType: OCI_INDEX, platforms: ["linux/amd64", "linux/arm/v7"] },
    platform: "linux/arm/v7",
    created: "2024-01-02T03:04:05Z",
    author: "somebody",
    size: 9,
    configDescriptor: {
      digest: digestOf(image.configBytes),
      size: image.configBytes.length,
      mediaType: OCI_CONFIG,
    },
    config: RUN,
    layers: LAYERS.map((bytes, place) => ({
      digest: digestOf(bytes),
      size: bytes.length,
      mediaType: OCI_LAYER,
      diffId: DIFF_IDS[place],
    })),
    annotations: { "org.opencontainers.image.version": "1.2" },
  });
});

it("an artifact is told by its type, with the titles of its layers and without a platform", async () => {
  const fake = await startFake({ mode: "plain" });
  const layer = {
    mediaType: "application/vnd.acme.file",
    digest: fake.addBlob(Buffer.from("file"), "a/b"),
    size: 4,
    annotations: { "org.opencontainers.image.title": "a.txt" },
  };
  placeImage(fake, "a/b", "1", {
    config: Buffer.from("{}"),
    configType: "application/vnd.oci.empty.v1+json",
    manifest: { artifactType: "application/vnd.acme", layers: [layer] },
  });
  const told = describeImage(await imageFrom(sourceOf(fake), parseReference("fake.test/a/b:1")));
  expect(told).toMatchObject({ artifactType: "application/vnd.acme", layers: [layer], config: {}, size: 4 });
  for (const absent of ["platform", "index", "created", "author"]) expect(told).not.toHaveProperty(absent);
});

it("diff IDs that do not go with the layers one by one are left out", async () => {
  const fake = await startFake({ mode: "plain" });
  placeImage(fake, "a/b", "1", { layers: LAYERS, config: { rootfs: { diff_ids: DIFF_IDS.slice(1) } } });
  const told = describeImage(await imageFrom(sourceOf(fake), parseReference("fake.test/a/b:1")));
  for (const layer of told.layers) expect(layer).not.toHaveProperty("diffId");
});
