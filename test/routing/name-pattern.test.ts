/** Shows what each way of writing a pattern means, what it matches, and what a person hears who writes one that means nothing, or two things. */
import { array, assert, constantFrom, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { BUILT_IN_UPSTREAMS, plainUpstream } from "../../src/config/defaults.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { matches, parsePattern } from "../../src/routing/name-pattern.ts";

const UPSTREAMS = [
  ...Object.entries(BUILT_IN_UPSTREAMS).map(([name, { aliases = [], names = "oci" }]) => ({
    name,
    aliases,
    names,
  })),
  { name: "reg.lab:5000", aliases: [], names: "oci" as const },
];
const DIGEST = digestOf(Buffer.from("a"));

const parse = (text: string) => parsePattern(text, UPSTREAMS);

describe("a pattern", () => {
  it.each([
    ["alpine", "docker.io/library/alpine"],
    ["alpine:3.*", "docker.io/library/alpine:3.*"],
    ["alpine*", "docker.io/library/alpine*"],
    ["org/app", "docker.io/org/app"],
    ["org/**", "docker.io/org/**"],
    ["docker.io/alpine", "docker.io/library/alpine"],
    ["index.docker.io/library/alpine:3", "docker.io/library/alpine:3"],
    ["Docker.IO/library/alpine", "docker.io/library/alpine"],
    ["docker://alpine:3", "docker.io/library/alpine:3"],
    ["docker.io/**", "docker.io/**"],
    ["ghcr.io/org/**", "ghcr.io/org/**"],
    ["ghcr.io/org/*/app:v1", "ghcr.io/org/*/app:v1"],
    ["reg.lab:5000/app", "reg.lab:5000/app"],
    ["reg.lab:5000/app:1", "reg.lab:5000/app:1"],
    ["ollama:llama3.2", "registry.ollama.ai/library/llama3.2"],
    ["ollama:llama3.2:3b", "registry.ollama.ai/library/llama3.2:3b"],
    ["ollama://user/Model:q4_K_M", "registry.ollama.ai/user/Model:q4_K_M"],
    ["ollama:**", "registry.ollama.ai/**"],
    ["ollama:hf.co/bartowski/Llama-3.2-GGUF", "hf.co/bartowski/Llama-3.2-GGUF"],
    ["huggingface.co/bartowski/Llama-3.2-GGUF:Q4_K_M", "hf.co/bartowski/Llama-3.2-GGUF:Q4_K_M"],
    // Upper case is not legal at Docker Hub, so only a model can be meant.
    ["bartowski/Llama-3.2-GGUF", "registry.ollama.ai/bartowski/Llama-3.2-GGUF"],
    ["docker:dind", "docker.io/library/docker:dind"],
    [`*@${DIGEST}`, `**@${DIGEST}`],
    [DIGEST, `**@${DIGEST}`],
    [`*@${DIGEST.slice(0, 15)}*`, `**@${DIGEST.slice(0, 15)}*`],
    [`alpine:3@${DIGEST}`, `docker.io/library/alpine:3@${DIGEST}`],
    ["*", "**"],
    ["**:latest", "**:latest"],
    ["**/alpine", "**/alpine"],
    ["*.io/org/app", "*.io/org/app"],
  ])("%s means %s", (text, canonical) => {
    expect(parse(text).text).toBe(canonical);
    expect(parse(canonical)).toEqual(parse(text));
  });

  it.each([
    ["alpine", "docker.io", "library/alpine", "3.22", true],
    ["alpine", "docker.io", "library/alpine", undefined, true],
    ["alpine", "ghcr.io", "library/alpine", "3.22", false],
    ["alpine:3.*", "docker.io", "library/alpine", "3.22", true],
    ["alpine:3.*", "docker.io", "library/alpine", "3", false],
    ["alpine:3.*", "docker.io", "library/alpine", undefined, false],
    ["ghcr.io/org/**", "ghcr.io", "org/a/b", "1", true],
    ["ghcr.io/org/**", "ghcr.io", "org", "1", false],
    ["ghcr.io/org/*", "ghcr.io", "org/a/b", "1", false],
    ["ghcr.io/org/**/app", "ghcr.io", "org/app", "1", true],
    ["ghcr.io/org/**/app", "ghcr.io", "org/a/b/app", "1", true],
    ["docker.io/**", "docker.io", "library/alpine", "1", true],
    ["docker.io/*", "docker.io", "org/app", "1", false],
    ["*", "reg.lab:5000", "a/b/c", "1", true],
    ["**/alpine", "ghcr.io", "a/alpine", "1", true],
    ["*.io/org/app", "ghcr.io", "org/app", "1", true],
    ["*.io/org/app", "reg.lab:5000", "org/app", "1", false],
  ])("%s and %s/%s:%s", (text, upstream, repository, tag, isMatched) => {
    expect(matches(parse(text), { upstream, repository, tag })).toBe(isMatched);
  });

  it("of a digest matches it in every repository, and nothing else", () => {
    const name = { upstream: "ghcr.io", repository: "a/b" };
    for (const text of [`*@${DIGEST}`, DIGEST, `ghcr.io/a/b@${DIGEST}`, `*@${DIGEST.slice(0, 12)}*`]) {
      expect(matches(parse(text), { ...name, digest: DIGEST }), text).toBe(true);
      expect(matches(parse(text), { ...name, digest: digestOf(Buffer.from("b")) }), text).toBe(false);
      expect(matches(parse(text), { ...name, tag: "1" }), text).toBe(false);
    }
  });

  it.each([
    ["", "there is no name in it"],
    ["alpine:", '"" cannot be a tag'],
    ["Alpine/", 'something must follow the last "/"'],
    ["ghcr.io/org/", "org/** is everything below it"],
    ["ghcr.io/org**", '"**" stands for whole parts'],
    ["ghcr.io/Org/app", "those of images are lower case"],
    ["ghcr.io/..", "cannot be a repository name"],
    ["alpine@sha256:xyz", "is not a digest"],
    ["docker.io", "write docker.io/** for everything"],
    ["a\nb", '"a?b" is not a pattern'],
    ["a".repeat(64), "looks like the ID of an image"],
    ["hf.co/a/b/c", "cannot be the name of a model"],
    [`${"x/".repeat(500)}x`, "longer than 800"],
  ])("%j is refused with a sentence that says why: %s", (text, reason) => {
    expect(() => parse(text)).toThrow(
      expect.objectContaining({ code: "reference-invalid", message: expect.stringContaining(reason) }),
    );
  });

  it("at an upstream that is not configured is refused with what comes near", () => {
    const refusal = {
      code: "route-unknown",
      message: expect.stringContaining("Near to it: gcr.io or ghcr.io."),
    };
    expect(() => parse("gchr.io/org/app")).toThrow(expect.objectContaining(refusal));
  });

  it("without an upstream means the one where it is stored, and is refused with both where it is stored at two", () => {
    const stored =
      (...upstreams: string[]) =>
      ({ upstream, repository }: { upstream: string; repository: string }) =>
        upstreams.includes(upstream) && repository === "library/phi3";
    const at = (...upstreams: string[]) => parsePattern("phi3:*", UPSTREAMS, stored(...upstreams)).text;
    expect(at()).toBe("docker.io/library/phi3:*");
    expect(at("docker.io")).toBe("docker.io/library/phi3:*");
    expect(at("registry.ollama.ai")).toBe("registry.ollama.ai/library/phi3:*");
    const both = "docker.io/library/phi3:* or registry.ollama.ai/library/phi3:*";
    expect(() => at("docker.io", "registry.ollama.ai")).toThrow(
      expect.objectContaining({ code: "reference-invalid", message: expect.stringContaining(both) }),
    );
  });

  it("without an upstream is refused with the candidates where no registry for short names is configured", () => {
    const upstreams = [plainUpstream("ghcr.io"), plainUpstream("quay.io")];
    expect(() => parsePattern("alpine", upstreams)).toThrow("Write ghcr.io/alpine or quay.io/alpine.");
  });

  it("that many stars are in is matched at once", () => {
    const pattern = parse(`ghcr.io/${"*a".repeat(60)}/${"**/".repeat(30)}x`);
    const repository = `${"a".repeat(99)}/${"b/".repeat(70)}y`;
    expect(matches(pattern, { upstream: "ghcr.io", repository })).toBe(false);
  });
});

describe("whatever a pattern is made of", () => {
  const part = constantFrom("a", "b", "*", "**", "a*", "*b", "library", "alpine", "A");
  const host = constantFrom(
    "",
    "docker.io/",
    "ghcr.io/",
    "ollama:",
    "*.io/",
    "hf.co/",
    "reg.lab:5000/",
    "**/",
  );
  const end = constantFrom("", ":1", ":*", ":3.*", `@${DIGEST}`, `:1@${DIGEST}`);

  it("its canonical text means the same, and a name matches as a regular expression says", () => {
    const name = array(constantFrom("a", "b", "ab", "library", "alpine"), { minLength: 1, maxLength: 4 });
    assert(
      property(host, array(part, { minLength: 1, maxLength: 4 }), end, name, (before, parts, after, path) => {
        const pattern = parsed(`${before}${parts.join("/")}${after}`);
        if (pattern === undefined) return;
        expect(parse(pattern.text)).toEqual(pattern);
        const named = {
          upstream: pattern.upstream.replace("*", "ghcr"),
          repository: path.join("/"),
          tag: "1",
          digest: DIGEST,
        };
        const isMatched = regularExpressionOf(pattern.repository).test(`/${named.repository}`);
        const isTagged = pattern.tag === undefined || pattern.tag === "1" || pattern.tag === "*";
        expect(matches(pattern, named)).toBe(isMatched && isTagged);
      }),
      { numRuns: 2_000 },
    );
  });

  function parsed(text: string) {
    try {
      return parse(text);
    } catch {
      return undefined;
    }
  }

  function regularExpressionOf(glob: string): RegExp {
    const parts = glob.split("/").map((each, index, all) => {
      if (each !== "**") return `/${each.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}`;
      return index === all.length - 1 ? "(?:/[^/]+)+" : "(?:/[^/]+)*";
    });
    return new RegExp(`^${parts.join("")}$`);
  }
});
