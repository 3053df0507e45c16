/** Digests: only parsing or hashing makes one, and none can carry a path. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  algorithmOf,
  digestOf,
  encodedOf,
  finishDigest,
  isDigest,
  parseDigest,
} from "../../src/oci/digest.ts";

const SHA256 = `sha256:${"a1".repeat(32)}`;
const SHA512 = `sha512:${"b2".repeat(64)}`;

describe("Digest", () => {
  test.each([SHA256, SHA512])("%s is one, and comes apart", (text) => {
    const digest = parseDigest(text);
    expect(digest).toBe(text);
    expect(`${algorithmOf(digest)}:${encodedOf(digest)}`).toBe(text);
  });

  test.each([
    ["empty", ""],
    ["no algorithm", "a1".repeat(32)],
    ["an algorithm that is not registered", `md5:${"a1".repeat(16)}`],
    ["upper case", SHA256.toUpperCase()],
    ["upper-case hex", `sha256:${"A1".repeat(32)}`],
    ["too short", SHA256.slice(0, -1)],
    ["too long", `${SHA256}0`],
    ["the other's length", `sha512:${"a1".repeat(32)}`],
    ["a path", `sha256:../../${"a".repeat(58)}`],
    ["a second line", `${SHA256}\n`],
    ["a line before it", `x\n${SHA256}`],
    ["a space", ` ${SHA256}`],
  ])("%s is refused", (_name, text) => {
    expect(isDigest(text)).toBe(false);
    expect(() => parseDigest(text)).toThrow(expect.objectContaining({ code: "digest-invalid" }));
  });

  test("a long text is cut in the message", () => {
    const text = "x".repeat(10_000);
    expect(() => parseDigest(text)).toThrow(
      expect.objectContaining({ facts: expect.objectContaining({ found: `${"x".repeat(80)}…` }) }),
    );
  });

  test("hashing makes one, in either algorithm", () => {
    expect(digestOf(Buffer.from("abc"))).toBe(
      "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    );
    const hash = createHash("sha512").update("abc");
    expect(finishDigest(hash, "sha512")).toBe(digestOf(Buffer.from("abc"), "sha512"));
  });
});
