/** Roles of layers: what a media type says, in a form that a file name can carry. */
import { describe, expect, test } from "vitest";
import { roleOf } from "../../src/ollama/model-view.ts";

describe("the role of a layer", () => {
  test.each([
    ["application/vnd.ollama.image.model", "model"],
    ["application/vnd.ollama.image.projector", "projector"],
    ["application/vnd.ollama.image.tensor", "tensor"],
    ["application/vnd.docker.ai.gguf.v3", "model"],
    ["application/vnd.docker.ai.mmproj", "projector"],
    ["toString", "toString"],
    ["application/vnd.example.thing+json", "application-vnd.example.thing-json"],
  ])("of %s is %s", (mediaType, role) => {
    expect(roleOf(mediaType)).toBe(role);
  });

  test.each(["application/vnd.ollama.image...", "../../etc/passwd", "", "a\u0000b", "///"])(
    "of %j can stand in a file name",
    (mediaType) => {
      expect(roleOf(mediaType)).toMatch(/^[A-Za-z0-9_-][A-Za-z0-9._-]*$/);
    },
  );
});
