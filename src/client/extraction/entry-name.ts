/**
 * Owns what the name of an archive's entry means: a place below the root, a whiteout, an opaque marker, or nothing that matters
 * here. Pure. It refuses every name that is absolute or has a ".." in it.
 */
import { GranaryError } from "../../errors.ts";

export type EntryName =
  | { readonly kind: "root" }
  | { readonly kind: "place"; readonly path: readonly string[] }
  /** `path` is what it hides. */
  | { readonly kind: "whiteout"; readonly path: readonly string[] }
  /** `path` is the directory that it closes to lower layers. */
  | { readonly kind: "opaque"; readonly path: readonly string[] }
  /** Bookkeeping of aufs (`.wh..wh.plnk` and its like). */
  | { readonly kind: "bookkeeping" };

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
const AUFS = ".wh..wh.";

/** Throws `manifest-invalid` for absolute names, "..", NUL, and whiteouts of nothing. (docs/protocol.md#whiteouts) */
export function parseEntryName(name: string): EntryName {
  const path = namesOf(name);
  const last = path.at(-1);
  if (last === undefined) return { kind: "root" };
  if (name.startsWith("/")) throw refused(name, "it is absolute");
  const parent = path.slice(0, -1);
  if (last === OPAQUE) return { kind: "opaque", path: parent };
  if (path.some((part) => part.startsWith(AUFS))) return { kind: "bookkeeping" };
  if (!last.startsWith(WHITEOUT)) return { kind: "place", path };
  const hidden = last.slice(WHITEOUT.length);
  if (hidden === "" || hidden === "." || hidden === "..")
    throw refused(name, "it is a whiteout that names nothing");
  return { kind: "whiteout", path: [...parent, hidden] };
}

/**
 * The place that a hard link names. An absolute one begins at the root of the image, as in a container (kaniko writes them).
 * Throws `manifest-invalid`, also for the root itself.
 */
export function parseLinkName(name: string): readonly string[] {
  const path = namesOf(name);
  if (path.length === 0) throw refused(name, "a hard link cannot name the root");
  return path;
}

/** The error for a name that is refused. */
export function refused(name: string, reason: string): GranaryError {
  const shown = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return new GranaryError("manifest-invalid", `The name "${shown}" in a layer is refused: ${reason}.`, {
    found: shown,
  });
}

function namesOf(name: string): string[] {
  if (name.includes("\0")) throw refused(name, "it has a NUL in it");
  const path = name.split("/").filter((part) => part !== "" && part !== ".");
  if (path.includes("..")) throw refused(name, 'it has a ".." in it');
  return path;
}
