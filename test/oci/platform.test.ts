/** Shows how platforms are written and which of them serve which, and which child of an index is chosen for one. */
import { describe, expect, it } from "vitest";
import { platformNamed } from "../../src/client/images/host-platform.ts";
import type { Descriptor } from "../../src/oci/descriptor.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { pickChild, platformsOf, unstatedChildren } from "../../src/oci/pick-child.ts";
import { distanceOf, formatPlatform, parsePlatform } from "../../src/oci/platform.ts";

function childOf(text: string | undefined, annotations?: Record<string, string>): Descriptor {
  const digest = digestOf(Buffer.from(`${text}`));
  const platform = text === undefined ? {} : { platform: parsePlatform(text) };
  return { digest, size: 1, mediaType: "x/y", ...platform, ...(annotations && { annotations }) };
}

function picked(wanted: string, offered: readonly string[]): string | undefined {
  const child = pickChild(
    offered.map((text) => childOf(text)),
    parsePlatform(wanted),
  );
  return child?.platform && formatPlatform(child.platform);
}

describe("a platform", () => {
  it.each([
    ["linux/amd64", { os: "linux", architecture: "amd64" }],
    ["linux/arm/v7", { os: "linux", architecture: "arm", variant: "v7" }],
    ["Linux/ARM64/v8", { os: "linux", architecture: "arm64", variant: "v8" }],
    ["linux/x86_64", { os: "linux", architecture: "amd64" }],
    ["linux/aarch64", { os: "linux", architecture: "arm64" }],
    ["linux/armhf", { os: "linux", architecture: "arm", variant: "v7" }],
    ["linux/i386", { os: "linux", architecture: "386" }],
    ["macos/arm64", { os: "darwin", architecture: "arm64" }],
    ["wasip1/wasm", { os: "wasip1", architecture: "wasm" }],
  ])("%s is read", (text, expected) => {
    expect(parsePlatform(text)).toEqual(expected);
    expect(parsePlatform(formatPlatform(expected))).toEqual(expected);
  });

  it.each(["", "linux", "linux/", "/amd64", "linux/arm/v7/x", "linux/amd64/", "lin ux/amd64", "linux//v7"])(
    "%j is refused with the form that is expected",
    (text) => {
      expect(() => parsePlatform(text)).toThrow(
        expect.objectContaining({
          code: "reference-invalid",
          message: expect.stringContaining("os/architecture"),
        }),
      );
    },
  );

  it.each([
    ["linux/arm/v7", "linux/arm/v6", 1],
    ["linux/arm/v7", "linux/arm", 0],
    ["linux/arm64", "linux/arm64/v8", 0],
    ["linux/amd64/v3", "linux/amd64", 2],
    ["linux/arm/v6", "linux/arm/v7", undefined],
    ["linux/amd64/v2", "linux/amd64/v3", undefined],
    ["linux/amd64", "linux/386", undefined],
    ["linux/arm64", "linux/arm/v7", undefined],
    ["linux/amd64", "windows/amd64", undefined],
    ["linux/riscv64/rva23", "linux/riscv64", undefined],
  ])("%s and %s are %s apart", (wanted, offered, distance) => {
    expect(distanceOf(parsePlatform(wanted), parsePlatform(offered))).toBe(distance);
  });

  it.each([
    ["x64", "x86_64", "LE", "linux/amd64"],
    ["arm64", "aarch64", "LE", "linux/arm64"],
    ["arm", "armv7l", "LE", "linux/arm/v7"],
    ["arm", "armv6l", "LE", "linux/arm/v6"],
    ["arm", "aarch64", "LE", "linux/arm"],
    ["ia32", "i686", "LE", "linux/386"],
    ["ppc64", "ppc64le", "LE", "linux/ppc64le"],
    ["ppc64", "ppc64", "BE", "linux/ppc64"],
    ["s390x", "s390x", "BE", "linux/s390x"],
    ["riscv64", "riscv64", "LE", "linux/riscv64"],
  ] as const)("of a machine that Node calls %s (%s, %s) is %s", (arch, kernelName, order, expected) => {
    expect(formatPlatform(platformNamed(arch, kernelName, order))).toBe(expected);
  });
});

describe("of an index", () => {
  const ARM = ["linux/arm/v5", "linux/arm/v6", "linux/arm/v7", "linux/arm/v8", "linux/arm64/v8"];

  it.each([
    ["linux/arm/v7", ARM, "linux/arm/v7"],
    ["linux/arm/v7", ["linux/arm/v5", "linux/arm/v6"], "linux/arm/v6"],
    ["linux/arm/v6", ARM, "linux/arm/v6"],
    ["linux/arm", ARM, "linux/arm/v7"],
    ["linux/arm", ["linux/arm/v8"], "linux/arm/v8"],
    ["linux/arm/v8", ARM, "linux/arm/v8"],
    ["linux/arm64", ARM, "linux/arm64/v8"],
    ["linux/arm64/v9", ARM, "linux/arm64/v8"],
    ["linux/arm/v5", ["linux/arm/v6"], undefined],
    ["linux/amd64", ["linux/amd64/v3", "linux/amd64/v2", "linux/amd64"], "linux/amd64"],
    ["linux/amd64", ["linux/amd64/v3", "linux/amd64/v2"], "linux/amd64/v2"],
    ["linux/amd64/v3", ["linux/amd64", "linux/amd64/v2", "linux/amd64/v4"], "linux/amd64/v2"],
    ["linux/amd64/v4", ["linux/amd64", "linux/amd64/v4"], "linux/amd64/v4"],
    ["linux/riscv64", ["linux/riscv64/rva23"], "linux/riscv64/rva23"],
    ["windows/amd64", ["linux/amd64"], undefined],
  ])("%s out of %j is %s", (wanted, offered, expected) => {
    expect(picked(wanted, offered)).toBe(expected);
    expect(picked(wanted, offered.toReversed())).toBe(expected);
  });

  it("the first of equal children is taken", () => {
    const twins = [childOf("linux/amd64"), { ...childOf("linux/amd64"), digest: digestOf(Buffer.from("2")) }];
    expect(pickChild(twins, parsePlatform("linux/amd64"))).toBe(twins[0]);
  });

  it("attestations are nobody's child, whatever platform they claim", () => {
    const children = [
      childOf("unknown/unknown"),
      childOf("linux/amd64", { "vnd.docker.reference.type": "attestation-manifest" }),
      childOf(undefined, { "vnd.docker.reference.type": "attestation-manifest" }),
    ];
    for (const wanted of ["linux/amd64", "unknown/unknown"]) {
      expect(pickChild(children, parsePlatform(wanted))).toBeUndefined();
    }
    expect(platformsOf(children)).toEqual([]);
    expect(unstatedChildren(children)).toEqual([]);
  });

  it("each platform is told once, in the order of the index", () => {
    const offered = ["linux/arm64/v8", "linux/amd64", "linux/arm64/v8", "unknown/unknown"];
    expect(platformsOf(offered.map((text) => childOf(text)))).toEqual(["linux/arm64/v8", "linux/amd64"]);
  });
});
