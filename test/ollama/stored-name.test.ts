/** Names in Ollama's store: its own grammar, so that no name leads elsewhere. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isGranaryError } from "../../src/errors.ts";
import type { Reference } from "../../src/oci/reference.ts";
import { parseModelName } from "../../src/ollama/model-name.ts";
import { storedNameOf } from "../../src/ollama/stored-name.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

describe("a name in Ollama's store", () => {
  test("has the defaults of a bare name", () => {
    expect(storedNameOf(parseModelName("gemma"))).toEqual({
      host: "registry.ollama.ai",
      namespace: "library",
      model: "gemma",
      tag: "latest",
    });
  });

  test("keeps port and case", () => {
    expect(storedNameOf(parseModelName("box:5000/User/Llama-3.2-GGUF:Q4_K_M"))).toEqual({
      host: "box:5000",
      namespace: "User",
      model: "Llama-3.2-GGUF",
      tag: "Q4_K_M",
    });
  });

  test("needs a tag, and says so", () => {
    expect(() => storedNameOf(parseModelName(`gemma@${DIGEST}`))).toThrow(/write name:tag@digest/);
    expect(storedNameOf(parseModelName(`gemma:2b@${DIGEST}`)).tag).toBe("2b");
  });

  test("is refused where Ollama would not find it again", () => {
    const long = { ...parseModelName("gemma"), tag: "x".repeat(81) };
    expect(() => storedNameOf(long)).toThrow(/host\/namespace\/model:tag/);
    const bracketed = { ...parseModelName("gemma"), registry: "[::1]:5000" };
    expect(() => storedNameOf(bracketed)).toThrow(/host\/namespace\/model:tag/);
  });

  test("never holds a part that leads elsewhere, whatever the caller puts into a reference", () => {
    const part = fc.oneof(fc.string(), fc.constantFrom("..", ".", "a/../b", "/etc", "a\\b", "", ".hidden"));
    fc.assert(
      fc.property(part, part, part, part, (registry, namespace, model, tag) => {
        const reference: Reference = {
          registry,
          repository: `${namespace}/${model}`,
          tag,
          digest: undefined,
        };
        try {
          for (const value of Object.values(storedNameOf(reference))) {
            expect(value).toMatch(/^[A-Za-z0-9_][A-Za-z0-9_.:-]*$/);
          }
        } catch (error) {
          if (!isGranaryError(error, "reference-invalid")) throw error;
        }
      }),
    );
  });
});
