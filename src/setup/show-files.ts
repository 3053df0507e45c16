/** Owns what people are shown of planned files: the whole text, and the difference to what is there. Passwords are shown as stars. Pure. */
import { createTwoFilesPatch } from "diff";
import type { PlannedFile } from "./plan-files.ts";

export type ShownFile = {
  readonly path: string;
  readonly state: "new" | "changed" | "unchanged" | "removed";
  /** As it will be; null where it will not be there. */
  readonly text: string | null;
  /** In the form of `diff -u`; empty where nothing changes. */
  readonly diff: string;
};

export function showFile({ path, now, next }: PlannedFile): ShownFile {
  const before = hidden(now ?? "");
  const after = hidden(next ?? "");
  const state =
    now === next ? "unchanged" : next === undefined ? "removed" : now === undefined ? "new" : "changed";
  const diff = state === "unchanged" ? "" : patch(path, before, after);
  return { path, state, text: next === undefined ? null : after, diff };
}

/** Without the line that only `patch` needs. */
function patch(path: string, before: string, after: string): string {
  return createTwoFilesPatch(path, path, before, after, "", "", { context: 3 })
    .replace(/^[\s\S]*?(?=^--- )/m, "")
    .replaceAll(/\t$/gm, "");
}

/** Values of keys that hold secrets, whoever wrote them, and logins in URLs. */
function hidden(text: string): string {
  return text
    .replaceAll(
      /^(\s*["']?(?:password|auth|identitytoken|authorization|token)["']?[ \t]*[:=][ \t]*)(?=[^\s{[])[^\n]+$/gim,
      "$1***",
    )
    .replaceAll(/(:\/\/)[^/@\s"']+@/g, "$1***@");
}
