/**
 * Owns the readers around a scenario's clients that make it a crowd of forty: two cores cannot run forty engines, but forty
 * connections are what Granary sees of them. Each is a curl that checks what it got, and that gives up, as clients do, when
 * nothing comes for too long.
 */
import type { PushedDescriptor } from "./push-content.ts";
import { runCommand } from "./run-command.ts";

/** No reader waits longer than five seconds while the line delivers (F17); a busy machine may take as long again. */
const PATIENCE_SECONDS = 10;

/** `count` readers of `blobs`, which lie below `base` (".../blobs"): every second one whole, the others a part of the largest. */
export async function readAround(
  base: string,
  blobs: readonly PushedDescriptor[],
  count: number,
): Promise<void> {
  const [largest] = [...blobs].sort((one, other) => other.size - one.size);
  if (largest === undefined) throw new Error("there is nothing to read");
  const readers = Array.from({ length: count }, (_, index) => {
    const blob = blobs[(index >> 1) % blobs.length] ?? largest;
    return index % 2 === 0 ? readWhole(base, blob) : readPart(base, largest, (index >> 1) / (count >> 1));
  });
  await Promise.all(readers);
}

async function readWhole(base: string, { digest }: PushedDescriptor): Promise<void> {
  // The shell's pipe has no error of its own: a curl that failed shows in the digest.
  const pipe = `curl ${OPTIONS.join(" ")} "$0" | sha256sum`;
  const printed = await runCommand("sh", ["-c", pipe, `${base}/${digest}`]);
  if (printed.slice(0, 64) !== digest.slice("sha256:".length))
    throw new Error(`${digest} came as ${printed}`);
}

const PART_BYTES = 1_000_000;

/** A megabyte, as far into the blob as `place` (0 to 1) says. */
async function readPart(base: string, { digest, size }: PushedDescriptor, place: number): Promise<void> {
  const length = Math.min(PART_BYTES, size);
  const first = Math.floor((size - length) * place);
  const range = ["--range", `${first}-${first + length - 1}`];
  const counted = ["--output", "/dev/null", "--write-out", "%{http_code} %{size_download}"];
  const printed = await runCommand("curl", [...OPTIONS, ...range, ...counted, `${base}/${digest}`]);
  if (printed !== `206 ${length}`) throw new Error(`${range.join(" ")} of ${digest}: ${printed}`);
}

const OPTIONS = [
  ...["--silent", "--show-error", "--fail", "--location"],
  ...["--speed-limit", "1", "--speed-time", String(PATIENCE_SECONDS)],
];
