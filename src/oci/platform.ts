/**
 * Owns Platform as people write it, `os/architecture[/variant]`, and which child of an index it means. Pure; which platform
 * this machine has is the client's to say.
 */
import { GranaryError } from "../errors.ts";
import type { Platform } from "./descriptor.ts";

const PART = /^[a-z0-9][a-z0-9._-]*$/;

/** Throws `reference-invalid`. "arm64/v8" is what arm64 means without a variant (image-index.md, "platform variants"). */
export function parsePlatform(text: string): Platform {
  const [os = "", architecture = "", variant, ...more] = text.split("/");
  const parts = [os, architecture, ...(variant === undefined ? [] : [variant])];
  if (more.length === 0 && parts.every((part) => PART.test(part))) {
    return { os, architecture, ...(variant !== undefined && { variant }) };
  }
  throw new GranaryError(
    "reference-invalid",
    `"${text}" is not a platform: expected os/architecture[/variant], such as linux/amd64 or linux/arm/v7.`,
    { found: text },
  );
}

export function formatPlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}

/** True when what `offered` is made for can be used where `wanted` was asked for. A variant counts only if it was asked for. */
export function isMatch(wanted: Platform, offered: Platform): boolean {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return false;
  return wanted.variant === undefined || variantOf(wanted) === variantOf(offered);
}

function variantOf({ architecture, variant }: Platform): string | undefined {
  if (variant !== undefined) return variant;
  if (architecture === "arm64") return "v8";
  return architecture === "arm" ? "v7" : undefined;
}
