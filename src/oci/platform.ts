/**
 * Owns Platform as people write it, `os/architecture[/variant]`, and how well an image for one platform fits another. The names and the order
 * of variants are those of containerd's `platforms` package. Pure: it does not find out the platform of this machine.
 */
import { GranaryError } from "../errors.ts";
import type { Platform } from "./descriptor.ts";

const PART = /^[a-z0-9][a-z0-9._-]*$/;

/** Other names of architectures: those of `uname -m` and of Debian. */
const OTHER_NAMES = new Map<string, Pick<Platform, "architecture" | "variant">>([
  ["x86_64", { architecture: "amd64" }],
  ["x86-64", { architecture: "amd64" }],
  ["aarch64", { architecture: "arm64" }],
  ["i386", { architecture: "386" }],
  ["armhf", { architecture: "arm", variant: "v7" }],
  ["armel", { architecture: "arm", variant: "v6" }],
]);

/** What an architecture means without a variant (opencontainers/image-spec image-index.md, "platform variants"). */
const UNSTATED_LEVEL = new Map([
  ["amd64", 1],
  ["arm", 7],
  ["arm64", 8],
]);

/** Added to the distance of a variant of which it is not known whether it runs, so that every one that surely runs comes first. */
const UNASKED = 1_000;

/** Accepts upper case and the names of `uname -m` too. Throws `reference-invalid`. */
export function parsePlatform(text: string): Platform {
  const [os = "", architecture = "", variant, ...more] = text.split("/");
  const platform = canonicalPlatform({ os, architecture, ...(variant !== undefined && { variant }) });
  const parts = formatPlatform(platform).split("/");
  if (more.length === 0 && parts.every((part) => PART.test(part))) return platform;
  throw new GranaryError(
    "reference-invalid",
    `"${text.slice(0, 80)}" is not a platform: expected os/architecture[/variant], such as linux/amd64 or linux/arm/v7.`,
    { found: text.slice(0, 80) },
  );
}

/** The platform in the one spelling that is used inside: lower case, with the names that images use. */
export function canonicalPlatform({ os, architecture, variant }: Platform): Platform {
  const system = os.toLowerCase();
  const name = architecture.toLowerCase();
  const known = OTHER_NAMES.get(name) ?? { architecture: name };
  const stated = variant?.toLowerCase() ?? known.variant;
  return {
    os: system === "macos" ? "darwin" : system,
    architecture: known.architecture,
    ...(stated !== undefined && { variant: stated }),
  };
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}

/** False when a document does not state its platform, as with artifacts. */
export function isStated({ os, architecture }: Platform): boolean {
  return os !== "unknown" && architecture !== "unknown";
}

/**
 * How far `offered` is from `wanted`: 0 for the same platform, undefined when it cannot be used. A machine also runs the older variants of
 * its architecture, and the nearest is preferred: arm/v7 takes v7, then v6, then v5. If no variant was asked for, newer ones are offered
 * too, after those that surely run. Another architecture is never offered: amd64 does not get 386, although it could run it.
 */
export function distanceOf(wanted: Platform, offered: Platform): number | undefined {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return undefined;
  if (wanted.variant === offered.variant) return 0;
  const [most, level] = [levelOf(wanted), levelOf(offered)];
  if (most !== undefined && level !== undefined && level <= most) return most - level;
  if (wanted.variant !== undefined) return undefined;
  return UNASKED + (level ?? 0);
}

/** True when what `offered` is made for can be used where `wanted` was asked for. */
export function isMatch(wanted: Platform, offered: Platform): boolean {
  return distanceOf(wanted, offered) !== undefined;
}

/** The variant as a number: 7 for "v7", 8.01 for "v8.1" (arm64 has such ones). */
function levelOf({ architecture, variant }: Platform): number | undefined {
  if (variant === undefined) return UNSTATED_LEVEL.get(architecture);
  const [, level, step = "0"] = /^v?([0-9]{1,3})(?:\.([0-9]{1,2}))?$/.exec(variant) ?? [];
  return level === undefined ? undefined : Number(level) + Number(step) / 100;
}
