/** Owns the tests of WWW-Authenticate reading: the shapes that real registries send. */
import { describe, expect, it } from "vitest";
import { parseChallenges } from "../../src/oci/challenge.ts";

const read = (header: string | string[] | undefined) =>
  parseChallenges(header).map(({ scheme, parameters }) => ({ scheme, ...Object.fromEntries(parameters) }));

describe("WWW-Authenticate", () => {
  it("reads Docker Hub's challenge", () => {
    const header =
      'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"';
    expect(read(header)).toEqual([
      {
        scheme: "bearer",
        realm: "https://auth.docker.io/token",
        service: "registry.docker.io",
        scope: "repository:library/alpine:pull",
      },
    ]);
  });

  it("keeps commas and escapes inside quotes, and takes unquoted values", () => {
    expect(
      read('Bearer realm="https://a/t", scope="repository:x:pull,push", error=invalid_token, x="a\\"b"'),
    ).toEqual([
      {
        scheme: "bearer",
        realm: "https://a/t",
        scope: "repository:x:pull,push",
        error: "invalid_token",
        x: 'a"b',
      },
    ]);
  });

  it("separates several challenges in one header and in several", () => {
    const bearer = { scheme: "bearer", realm: "https://a/t" };
    const basic = { scheme: "basic", realm: "r" };
    expect(read('Bearer realm="https://a/t", Basic realm="r"')).toEqual([bearer, basic]);
    expect(read(['Basic realm="r"', 'BEARER Realm="https://a/t"'])).toEqual([basic, bearer]);
  });

  it("takes the first of equal keys, so that a later one cannot replace the realm", () => {
    expect(read('Bearer realm="https://a",realm="https://b"')).toEqual([
      { scheme: "bearer", realm: "https://a" },
    ]);
  });

  it("reads a scheme without parameters, and nothing from nothing", () => {
    expect(read("Negotiate")).toEqual([{ scheme: "negotiate" }]);
    expect(read(undefined)).toEqual([]);
    expect(read("")).toEqual([]);
    expect(read(',,, ="x"')).toEqual([]);
  });
});
