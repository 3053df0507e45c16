/** Shows the grammar of names of images, row by row, and holds every text that fast-check can think of to it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGranaryError } from "../../src/errors.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import {
  atDigest,
  formatReference,
  isHostName,
  parseReference,
  type Reference,
  wantedOf,
} from "../../src/oci/reference.ts";
import { referenceTexts } from "../support/reference-texts.ts";

const HEX = "0123456789abcdef".repeat(4);
const DIGEST = parseDigest(`sha256:${HEX}`);

function image(registry: string, repository: string, tag?: string, digest?: typeof DIGEST): Reference {
  return { registry, repository, tag, digest };
}

function refusal(text: string): string {
  try {
    parseReference(text);
  } catch (error) {
    if (isGranaryError(error, "reference-invalid")) return error.message;
    throw error;
  }
  throw new Error(`"${text}" was taken`);
}

describe("names of images", () => {
  it.each([
    ["alpine", image("docker.io", "library/alpine", "latest")],
    ["alpine:3.20", image("docker.io", "library/alpine", "3.20")],
    ["docker.io/alpine", image("docker.io", "library/alpine", "latest")],
    ["docker.io/library/alpine", image("docker.io", "library/alpine", "latest")],
    ["index.docker.io/library/alpine", image("docker.io", "library/alpine", "latest")],
    ["registry-1.docker.io/library/alpine", image("docker.io", "library/alpine", "latest")],
    ["Docker.IO/alpine", image("docker.io", "library/alpine", "latest")],
    ["user/app", image("docker.io", "user/app", "latest")],
    ["docker.io/user/app:1", image("docker.io", "user/app", "1")],
  ])("%s gets Docker Hub's defaults", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each([
    ["host:5000/ns/model:tag", image("host:5000", "ns/model", "tag")],
    ["host:5000/x", image("host:5000", "x", "latest")],
    ["name:5000", image("docker.io", "library/name", "5000")],
    ["localhost/x", image("localhost", "x", "latest")],
    ["LOCALHOST/x", image("localhost", "x", "latest")],
    ["localhost", image("docker.io", "library/localhost", "latest")],
    ["localhost:5000", image("docker.io", "library/localhost", "5000")],
    ["localhost:5000/a/b:t", image("localhost:5000", "a/b", "t")],
    ["ghcr.io/org/app", image("ghcr.io", "org/app", "latest")],
    ["GHCR.io/org/app", image("ghcr.io", "org/app", "latest")],
    ["127.0.0.1:5000/a", image("127.0.0.1:5000", "a", "latest")],
    ["[::1]:5000/a:b", image("[::1]:5000", "a", "b")],
    ["[2001:DB8::1]/a", image("[2001:db8::1]", "a", "latest")],
    ["a.b/c__d/e-f.g", image("a.b", "c__d/e-f.g", "latest")],
    ["a--b/c---d", image("docker.io", "a--b/c---d", "latest")],
    ["x:_T.a-g_9", image("docker.io", "library/x", "_T.a-g_9")],
  ])("%s is split where the host, the port and the tag are", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
  });

  it.each([
    [`alpine@${DIGEST}`, image("docker.io", "library/alpine", undefined, DIGEST)],
    [`alpine:3@${DIGEST}`, image("docker.io", "library/alpine", "3", DIGEST)],
    [`h:1/x:3@${DIGEST}`, image("h:1", "x", "3", DIGEST)],
  ])("%s is the manifest of that digest, with the tag only remembered", (text, expected) => {
    expect(parseReference(text)).toEqual(expected);
    expect(wantedOf(parseReference(text))).toBe(DIGEST);
  });

  it.each([
    "x@sha256:abcd",
    `x@sha256:${HEX.slice(1)}`,
    `x@sha256:${HEX}0`,
    `x@sha256:${"g".repeat(64)}`,
    `x@sha256:${HEX.toUpperCase()}`,
    `x@md5:${HEX}`,
    `x@${HEX}`,
    "x@",
    `x@${DIGEST}@${DIGEST}`,
    `x@${DIGEST}:tag`,
  ])("%s has no digest that could be checked", (text) => {
    expect(refusal(text)).toMatch(/is not a digest/);
  });

  it.each([
    "",
    ":2b",
    "gemma:",
    "a:b:c",
    "/",
    "a//b",
    "@",
    "/a",
    "a/",
    "a/:b",
    ":",
    "::",
    "a b",
    "a\n",
    " a",
  ])("%j names nothing", (text) => {
    expect(refusal(text)).toMatch(/is not a reference/);
  });

  it.each([
    "a..b/c",
    ".a/c",
    "a.b-/c",
    "-a.b/c",
    "a.b:/c",
    "a.b:0/c",
    "a.b:00080/c",
    "a.b:65536/c",
    "a.b:x/c",
    "[::1/c",
    "[]/c",
    "[:::]/c",
    "[::ffff:1.2.3.4]/c",
    "[fe80::1%25eth0]/c",
    "a_b.c/d",
    "doc\u212Aer.io/c",
    "user:secret@a.b/c",
  ])("%s has no host that could be asked", (text) => {
    expect(refusal(text)).toMatch(/is not a (reference|digest)/);
  });

  it.each(["a._b", "a..b", "a___b", "-a", "a-", "a/.b", "a.b/C", "a/b_", "é", "a/../b", "%61"])(
    "%s breaks the grammar of repositories",
    (text) => {
      expect(refusal(text)).toMatch(/is not a repository name/);
    },
  );

  it("a name in upper case is refused by its rule, and never becomes a host that then reads as Docker Hub's", () => {
    expect(refusal("Foo/bar")).toMatch(/lower case/);
    expect(refusal("Alpine")).toMatch(/lower case/);
  });

  it("what looks like the ID of an image says how a digest is written", () => {
    expect(refusal(HEX)).toMatch(/name@sha256:/);
    expect(parseReference(`user/${HEX}`).repository).toBe(`user/${HEX}`);
  });

  it.each(["oci://", "ollama://", "ocifile://", "docker://"])("%s in front changes nothing", (scheme) => {
    expect(parseReference(`${scheme}ghcr.io/a/b:c`)).toEqual(image("ghcr.io", "a/b", "c"));
    expect(parseReference(`${scheme}x@${DIGEST}`)).toEqual(
      image("docker.io", "library/x", undefined, DIGEST),
    );
    expect(refusal(`${scheme}${scheme}x`)).toMatch(/not a reference/);
    expect(refusal(scheme)).toMatch(/no name/);
  });

  it("!!!invalid-ref!!! is refused before there is anything to ask", () => {
    expect(refusal("!!!invalid-ref!!!")).toMatch(/is not a repository name/);
  });

  it("a repository has at most 255 characters, library/ included, a tag 128, a host what DNS can name", () => {
    expect(parseReference(`a.b/${"x".repeat(255)}`).repository).toHaveLength(255);
    expect(refusal(`a.b/${"x".repeat(256)}`)).toMatch(/255/);
    expect(parseReference("x".repeat(247)).repository).toHaveLength(255);
    expect(refusal("x".repeat(248))).toMatch(/255/);
    expect(parseReference(`x:${"t".repeat(128)}`).tag).toHaveLength(128);
    expect(refusal(`x:${"t".repeat(129)}`)).toMatch(/not a tag/);
    expect(isHostName(`${"a.".repeat(126)}a:65535`)).toBe(true);
    expect(isHostName(`${"a.".repeat(130)}a`)).toBe(false);
  });

  it("a message stays short, and nothing in it acts on a terminal", () => {
    const message = refusal(`\u001b[31m\r\n${"x!".repeat(100_000)}`);
    expect(message.length).toBeLessThan(400);
    expect(message).not.toMatch(/\p{Cc}/u);
  });

  it("the same repository at a digest has no tag", () => {
    expect(atDigest(parseReference("alpine:3"), DIGEST)).toEqual(
      image("docker.io", "library/alpine", undefined, DIGEST),
    );
  });
});

describe("every text", () => {
  it("is a reference or `reference-invalid`, never another failure", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" }), referenceTexts), (text) => {
        try {
          parseReference(text);
        } catch (error) {
          expect(isGranaryError(error, "reference-invalid")).toBe(true);
        }
      }),
      { numRuns: 2_000 },
    );
  });

  it("that is one prints to a text that parses to the same value, and to the same text again", () => {
    let taken = 0;
    fc.assert(
      fc.property(referenceTexts, (text) => {
        const reference = parsed(text);
        if (reference === undefined) return;
        taken += 1;
        const printed = formatReference(reference);
        expect(parseReference(printed)).toEqual(reference);
        expect(formatReference(parseReference(printed))).toBe(printed);
        expect(reference.tag ?? reference.digest).toBeDefined();
      }),
      { numRuns: 2_000 },
    );
    expect(taken, "texts that were references").toBeGreaterThan(200);
  });
});

function parsed(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}
