/** Shows the grammar of names of models, row by row, and holds every text that fast-check can think of to it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGranaryError } from "../../src/errors.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import { formatReference, type Reference } from "../../src/oci/reference.ts";
import { isModelRepository, parseModelName } from "../../src/ollama/model-name.ts";
import { referenceTexts } from "../support/reference-texts.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = parseDigest(`sha256:${HEX}`);
const OLLAMA = "registry.ollama.ai";

function model(registry: string, repository: string, tag?: string, digest?: typeof DIGEST): Reference {
  return { registry, repository, tag, digest };
}

function refusal(text: string): string {
  try {
    parseModelName(text);
  } catch (error) {
    if (isGranaryError(error, "reference-invalid")) return error.message;
    throw error;
  }
  throw new Error(`"${text}" was taken`);
}

describe("names of models", () => {
  it.each([
    ["gemma", "gemma", model(OLLAMA, "library/gemma", "latest")],
    ["gemma:2b", "gemma:2b", model(OLLAMA, "library/gemma", "2b")],
    ["foobar/gemma:2b", "foobar/gemma:2b", model(OLLAMA, "foobar/gemma", "2b")],
    ["a host with a port", "host:5000/ns/model:tag", model("host:5000", "ns/model", "tag")],
    ["localhost with a port", "localhost:5000/a/b:t", model("localhost:5000", "a/b", "t")],
    ["hf.co", "hf.co/user/repo:Q4_K_M", model("hf.co", "user/repo", "Q4_K_M")],
    ["hf.co/u/r:Q4_K_M", "hf.co/u/r:Q4_K_M", model("hf.co", "u/r", "Q4_K_M")],
    ["the whole name", "registry.ollama.ai/library/gemma:2b", model(OLLAMA, "library/gemma", "2b")],
    ["a digest", `gemma@${DIGEST}`, model(OLLAMA, "library/gemma", undefined, DIGEST)],
    ["tag and digest", `gemma:2b@${DIGEST}`, model(OLLAMA, "library/gemma", "2b", DIGEST)],
    ["ollama://", "ollama://gemma:2b", model(OLLAMA, "library/gemma", "2b")],
    ["oci://", `oci://ns/gemma@${DIGEST}`, model(OLLAMA, "ns/gemma", undefined, DIGEST)],
    [
      "upper case",
      "hf.co/bartowski/Llama-3.2-3B-Instruct-GGUF:IQ3_M",
      model("hf.co", "bartowski/Llama-3.2-3B-Instruct-GGUF", "IQ3_M"),
    ],
    ["a host in upper case", "HF.co/U/R", model("hf.co", "U/R", "latest")],
    ["a host of Compose", "my_registry:5000/library/x", model("my_registry:5000", "library/x", "latest")],
    ["a host without a dot", "registry/library/x", model("registry", "library/x", "latest")],
    ["a host of IPv6", "[::1]:5000/library/x", model("[::1]:5000", "library/x", "latest")],
    ["underscores and dots", "_n-s_/llama3.2_x", model(OLLAMA, "_n-s_/llama3.2_x", "latest")],
  ])("%s", (_row, text, expected) => {
    expect(parseModelName(text)).toEqual(expected);
  });

  it.each(["gemma@sha256:abcd", `gemma@sha256:${"x".repeat(64)}`, "gemma@", `gemma@sha256-${HEX}`])(
    "%s has no digest that could be checked",
    (text) => {
      expect(refusal(text)).toMatch(/is not a digest/);
    },
  );

  it.each([
    ...["", ":2b", "gemma:", "a:b:c", "/", "a//b", "/gemma", "gemma/", "a/b/c/d", "a/b/", "//b", "a b"],
    ...["-a", ".a", "n.s/model", "ns/mo+del", "é", "a\n", "gemma:-x", "h!/n/m", "h:0/n/m", "a/../b", "../b"],
    ...["http://h/n/m", "user:pw@h/n/m"],
  ])("%j names no model", (text) => {
    expect(refusal(text)).toMatch(/is not a (reference|digest)/);
  });

  it("a host without a namespace says what to write", () => {
    expect(refusal("localhost:5000/gemma")).toMatch(/: localhost:5000\/library\/gemma\.$/);
    expect(refusal("hf.co/repo")).toMatch(/: hf\.co\/library\/repo\.$/);
  });

  it("a namespace, a model and a tag have at most 80 characters, a host what DNS can name", () => {
    const [most, more] = ["x".repeat(80), "x".repeat(81)];
    expect(parseModelName(`${most}/${most}:${most}`)).toEqual(model(OLLAMA, `${most}/${most}`, most));
    for (const text of [more, `${more}/x`, `x/${more}`, `x:${more}`, `${"h.".repeat(175)}h/x/y`])
      refusal(text);
    expect(refusal(`x:${more}`)).toMatch(/longer than 80/);
  });

  it("a repository is exactly a namespace and a model", () => {
    expect(isModelRepository("library/llama3.2")).toBe(true);
    for (const text of ["llama3.2", "a/b/c", "a.b/c", "/c", "a/", "a/b\n"]) {
      expect(isModelRepository(text), text).toBe(false);
    }
  });
});

describe("every text", () => {
  it("is a model's name or `reference-invalid`; a name prints to a text that parses to the same value", () => {
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), referenceTexts), (text) => {
        const reference = parsed(text);
        if (reference === undefined) return;
        taken += 1;
        expect(parseModelName(formatReference(reference))).toEqual(reference);
      }),
      { numRuns: 3_000 },
    );
    expect(taken, "texts that were names").toBeGreaterThan(200);
  });
});

function parsed(text: string): Reference | undefined {
  try {
    return parseModelName(text);
  } catch (error) {
    expect(isGranaryError(error, "reference-invalid")).toBe(true);
    return undefined;
  }
}
