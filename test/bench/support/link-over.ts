/** Owns one file operation: a hard link that replaces what is there, so that all servers share one page cache. */
import { linkSync, rmSync } from "node:fs";

export function linkOver(from: string, to: string): void {
  rmSync(to, { force: true });
  linkSync(from, to);
}
