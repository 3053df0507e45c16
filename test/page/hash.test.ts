/** Shows how the view that is open stands in the address: whatever a person types there is read, and what is written is read back as it was. */
import { expect, test } from "vitest";
import { hashOf, readHash } from "../../src/page/hash.js";

test.each([
  ["", "now", {}],
  ["#", "now", {}],
  ["#/", "now", {}],
  ["#now", "now", {}],
  ["#/contents", "contents", {}],
  ["#/contents?", "contents", {}],
  ["#/contents?search=alpine%3A3&by=tag", "contents", { search: "alpine:3", by: "tag" }],
  ["#/contents?search=a?b", "contents", { search: "a?b" }],
  ["#/show?reference=ghcr.io/a/b@sha256:12", "show", { reference: "ghcr.io/a/b@sha256:12" }],
  ["#/contents?search=%", "contents", { search: "%" }],
  ["#/<script>", "<script>", {}],
])("%j is the view %j", (hash, view, query) => {
  expect(readHash(hash)).toEqual({ view, query });
});

test.each([
  {},
  { search: "a & b = c ? #1" },
  { reference: "docker.io/library/alpine:3@sha256:ab" },
  { search: "ü %20" },
])("%j is read back as it was written", (query) => {
  expect(readHash(hashOf("contents", query))).toEqual({ view: "contents", query });
});

test("what is not asked for is not written", () => {
  expect(hashOf("contents", { search: "", by: undefined })).toBe("#/contents");
});
