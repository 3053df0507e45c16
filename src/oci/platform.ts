/**
 * Owns Platform as people write it, `os/architecture[/variant]`, and how well one platform serves another. The names and the
 * order of variants are containerd's (its `platforms` package). Pure; which platform this machine has is the client's to say.
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

/** Behind every variant that surely runs. */
const UNASKED = 1_000;

/** Upper case and the names of `uname -m` are fine. Throws `reference-invalid`. */
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

/** One spelling of what documents and people write: lower case, and the names that images use. */
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

/** False where a document leaves out what it is made for, as artifacts do. */
export function isStated({ os, architecture }: Platform): boolean {
  return os !== "unknown" && architecture !== "unknown";
}

/**
 * How far `offered` is from `wanted`: 0 for the very platform, undefined when it cannot be used there. A machine runs what
 * older ones of its kind run, the nearest first: arm/v7 takes v7, v6, v5. Where no variant was asked for, any is better than
 * none, after those that surely run. No other architecture stands in: an amd64 that could run 386 does not get it unasked.
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

/** The number of "v7"; arm64 also has "v8.1". */
function levelOf({ architecture, variant }: Platform): number | undefined {
  if (variant === undefined) return UNSTATED_LEVEL.get(architecture);
  const [, level, step = "0"] = /^v?([0-9]{1,3})(?:\.([0-9]{1,2}))?$/.exec(variant) ?? [];
  return level === undefined ? undefined : Number(level) + Number(step) / 100;
}
