/** Owns the platform that is meant when none is named. It reads this process's machine, and nothing else. */
import { endianness, machine } from "node:os";
import type { Platform } from "../../oci/descriptor.ts";

/** Architectures that have one name in Node and another in images. */
const IMAGE_NAMES = new Map([
  ["x64", "amd64"],
  ["ia32", "386"],
  ["mipsel", "mipsle"],
]);

/**
 * Linux, on this machine's architecture. Linux also on macOS and Windows: almost no image is made for them, and containers
 * there run in a Linux virtual machine. The variant is known only of 32-bit ARM.
 */
export function hostPlatform(): Platform {
  return platformNamed(process.arch, machine(), endianness());
}

/** From Node's name of the architecture, the kernel's name of the machine, and the order of bytes. */
export function platformNamed(arch: string, kernelName: string, order: "LE" | "BE"): Platform {
  if (arch === "ppc64" && order === "LE") return { os: "linux", architecture: "ppc64le" };
  const architecture = IMAGE_NAMES.get(arch) ?? arch;
  // A 64-bit kernel says "aarch64" to 32-bit programs too; then nothing is known but "arm", which means v7.
  const level = architecture === "arm" ? /^armv([5-8])/.exec(kernelName)?.[1] : undefined;
  return { os: "linux", architecture, ...(level !== undefined && { variant: `v${level}` }) };
}
