/** File names of a model's parts: by role, in order, safe and unique whatever a stranger called them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { layerPaths } from "../../../src/client/models/layer-paths.ts";
import { unsafetyOf } from "../../../src/files/safe-relative-path.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import type { ModelLayer } from "../../../src/ollama/model-view.ts";
import { roleOf } from "../../../src/ollama/model-view.ts";

function layer(role: string, name?: string): ModelLayer {
  const digest = digestOf(Buffer.from(role));
  return { digest, size: 1, mediaType: role, role, ...(name !== undefined && { name }) };
}

describe("the file names of a model's parts", () => {
  test("number the second of a kind, before its extension", () => {
    const roles = ["adapter", "adapter", "adapter", "license", "license", "params"];
    expect(layerPaths(roles.map((role) => layer(role)))).toEqual([
      "adapter.gguf",
      "adapter-2.gguf",
      "adapter-3.gguf",
      "license",
      "license-2",
      "params.json",
    ]);
  });

  test("let no part lie below another, nor where another is being fetched", () => {
    const names = ["a", "a/b", "a.partial", "b/c", "b"];
    expect(layerPaths(names.map((name) => layer("tensor", name)))).toEqual([
      "a",
      "a-b",
      "a-2.partial",
      "b/c",
      "b-2",
    ]);
  });

  test("come soon for tens of thousands of parts without names", () => {
    const paths = layerPaths(Array.from({ length: 40_000 }, () => layer("tensor")));
    expect(paths.at(-1)).toBe("tensor-40000.safetensors");
  });

  test("are safe and unique without regard to case, whatever the manifest says", () => {
    const name = fc.option(
      fc.oneof(fc.string(), fc.constantFrom("../x", "/x", "a/B", "A/b", "config.json/x", "manifest.json")),
      { nil: undefined },
    );
    const parts = fc.array(fc.record({ type: fc.string(), name }));
    fc.assert(
      fc.property(parts, (given) => {
        const paths = layerPaths(given.map(({ type, name }) => layer(roleOf(type), name)));
        expect(paths.map(unsafetyOf).filter((reason) => reason !== undefined)).toEqual([]);
        const folded = ["config.json", "manifest.json", ...paths].map((path) => path.toLowerCase());
        expect(new Set(folded).size).toBe(folded.length);
      }),
    );
  });
});
