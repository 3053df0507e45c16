/**
 * Owns the text forms of sizes ("200GiB") and durations ("10m"): reads them as people write them in the configuration, and writes them for
 * people. Pure.
 */
import { GranaryError } from "../errors.ts";

const SIZES: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

const DURATIONS: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/** "200GiB" or 1024 -> bytes. Throws `config-invalid`. */
export function parseBytes(text: string | number): number {
  return parseUnit(text, SIZES, "B", "a size such as 512MiB or 200GiB");
}

/** "30s", "10m" or 250 (milliseconds) -> milliseconds. Throws `config-invalid`. */
export function parseDuration(text: string | number): number {
  return parseUnit(text, DURATIONS, "ms", "a duration such as 500ms, 30s or 10m");
}

const BITS: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, Mbit: 1e6, Gbit: 1e9 };

/** "5MB/s" or "40Mbit/s" -> bytes per second; "unlimited" -> Infinity. Throws `config-invalid`. */
export function parseRate(text: string): number {
  const wanted = "a rate such as 5MB/s, 500kB/s or 40Mbit/s, or unlimited";
  if (text.trim() === "unlimited") return Number.POSITIVE_INFINITY;
  const [, amount = "", unit = ""] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\/s\s*$/.exec(text) ?? [];
  const bits = BITS[unit];
  const rate = Math.floor(Number(amount) * (bits === undefined ? (SIZES[unit] ?? Number.NaN) : bits / 8));
  if (amount !== "" && Number.isSafeInteger(rate) && rate > 0) return rate;
  throw new GranaryError("config-invalid", `"${text}" is not ${wanted}.`, { expected: wanted, found: text });
}

/** Bytes in the largest binary unit that leaves a number of at least one: 1536 -> "1.5 KiB". */
export function formatBytes(bytes: number): string {
  for (const unit of ["TiB", "GiB", "MiB", "KiB"]) {
    const size = SIZES[unit] ?? 1;
    if (bytes >= size) return `${Number((bytes / size).toFixed(1))} ${unit}`;
  }
  return `${bytes} B`;
}

/** Milliseconds as a text for people: 90000 -> "1.5m". */
export function formatDuration(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const size = DURATIONS[unit] ?? 1;
    if (ms >= size) return `${Number((ms / size).toFixed(1))}${unit}`;
  }
  return `${Math.round(ms)}ms`;
}

function parseUnit(
  text: string | number,
  units: Readonly<Record<string, number>>,
  plain: string,
  wanted: string,
): number {
  const [, digits, unit] = /^\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*$/.exec(String(text)) ?? [];
  const factor = units[unit === "" || unit === undefined ? plain : unit];
  const value = Math.round(Number(digits) * (factor ?? Number.NaN));
  if (!Number.isSafeInteger(value)) {
    throw new GranaryError("config-invalid", `"${text}" is not ${wanted}.`, {
      expected: wanted,
      found: String(text),
    });
  }
  return value;
}
