/** Owns the tests of image locations: which texts mean a registry, a file or an engine, and what the parts are. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseImageLocation } from "../../../src/client/images/image-location.ts";
import { isGranaryError } from "../../../src/errors.ts";

describe("an image's location", () => {
  it.each([
    ["ocifile:image.tar", "image.tar", undefined],
    ["ocifile://image.tar", "image.tar", undefined],
    ["ocifile:/srv/images/x.tar", "/srv/images/x.tar", undefined],
    ["ocifile:///srv/images/x.tar", "/srv/images/x.tar", undefined],
    ["ocifile:../with space:and@signs.tar", "../with space:and@signs.tar", undefined],
    ["ocifile:x.tar#alpine:3.20", "x.tar", "alpine:3.20"],
    ["ocifile:x.tar#ghcr.io/org/app:v1", "x.tar", "ghcr.io/org/app:v1"],
    ["ocifile:a#b.tar#", "a#b.tar", undefined],
    ["ocifile:a#b.tar#app", "a#b.tar", "app"],
  ])("of %s is a file, and the image's name in it", (text, path, name) => {
    expect(parseImageLocation(text)).toEqual({ kind: "archive", path, name });
  });

  it("of docker-daemon:NAME is the engine", () => {
    expect(parseImageLocation("docker-daemon:alpine:3")).toEqual({ kind: "engine", name: "alpine:3" });
    expect(parseImageLocation("docker-daemon://alpine")).toEqual({ kind: "engine", name: "alpine" });
  });

  it("is a registry for everything else", () => {
    expect(parseImageLocation("alpine")).toEqual({
      kind: "registry",
      reference: { registry: "docker.io", repository: "library/alpine", tag: "latest", digest: undefined },
    });
    expect(parseImageLocation("oci://host:5000/a/b:c")).toMatchObject({
      reference: { registry: "host:5000", repository: "a/b", tag: "c" },
    });
  });

  it.each(["ocifile:", "ocifile://", "ocifile:#name", "ocifile:a\0b", "docker-daemon:", "!!!"])(
    "is refused for %j",
    (text) => expect(() => parseImageLocation(text)).toThrow(/is not a reference/),
  );

  it("can name every path, and fails in no other way than reference-invalid", () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), (text) => {
        const path = text.replaceAll("\0", "0");
        const location = parseImageLocation(`ocifile://${path}#`);
        expect(location).toEqual({ kind: "archive", path, name: undefined });
        try {
          parseImageLocation(text);
        } catch (error) {
          expect(isGranaryError(error, "reference-invalid")).toBe(true);
        }
      }),
    );
  });
});
