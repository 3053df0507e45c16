/**
 * Owns the choice how real clients store the layers that they unpack: as overlays, which is what users have, or as whole copies where
 * the directory of the tests cannot carry overlays (inside a container). Copies are three times the bytes.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";

let known: Promise<boolean> | undefined;

/** Whether overlays can be mounted below the directory that scratch directories are made in. */
export function overlaysWork(): Promise<boolean> {
  known ??= tryOverlay();
  return known;
}

async function tryOverlay(): Promise<boolean> {
  await using cleanup = new AsyncDisposableStack();
  const place = await scratchDirectory(cleanup, "overlay");
  const [lower = "", upper = "", work = "", merged = ""] = ["lower", "upper", "work", "merged"].map((name) =>
    join(place, name),
  );
  for (const path of [lower, upper, work, merged]) await mkdir(path);
  const options = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  return await runCommand("mount", ["-t", "overlay", "overlay", "-o", options, merged]).then(
    () => true,
    () => false,
  );
}
