/** Which artifacts are ModelPacks (docs/protocol.md#model-artifacts). */
import { describe, expect, test } from "vitest";
import { isModelPack } from "../../../src/client/artifacts/artifact-files.ts";
import { viewImage } from "../../../src/oci/image-view.ts";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";

const MANIFEST = "application/vnd.cncf.model.manifest.v1+json";
const CONFIG = "application/vnd.cncf.model.config.v1+json";
const IMAGE_CONFIG = "application/vnd.oci.image.config.v1+json";

function view(bytes: Buffer) {
  const seen = viewImage({ bytes, mediaType: OCI_MANIFEST });
  if (seen.kind === "index") throw new Error("The fixture is an image.");
  return seen;
}

function manifest(artifactType: string | undefined, configType: string): Buffer {
  const config = { mediaType: configType, digest: `sha256:${"a".repeat(64)}`, size: 2 };
  return Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, config, layers: [] }),
  );
}

describe("a ModelPack", () => {
  test.each([
    ["its own type says so", MANIFEST, IMAGE_CONFIG, true],
    ["its config's type says so", undefined, CONFIG, true],
    ["its config's type says so and its own says something else", "application/vnd.x", CONFIG, true],
    ["neither says so", undefined, IMAGE_CONFIG, false],
  ])("is told where %s", (_, artifactType, configType, expected) => {
    expect(isModelPack(view(manifest(artifactType, configType)))).toBe(expected);
  });

  test("is not guessed from bad JSON: that is a typed error", () => {
    expect(() => view(Buffer.from("{not json"))).toThrow(
      expect.objectContaining({ name: "GranaryError", code: "manifest-invalid" }),
    );
  });
});
