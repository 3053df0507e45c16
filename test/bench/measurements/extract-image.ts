/**
 * Extraction of an image from an OCI layout on this disk: Granary's command, `umoci unpack`, and `tar -x` of the layers, which
 * neither verifies nor knows whiteouts. Throughput is of unpacked bytes; memory is the peak of the process and its children.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Bench, Measurement } from "../bench.ts";
import { type ImageMaterial, makeImage } from "../image-material.ts";
import { takeTurns } from "../rounds.ts";
import { atLeastTimes, atMost, EXTRACTORS } from "../row.ts";
import { findCommand } from "../support/find-command.ts";
import { peakMemory } from "../support/peak-memory.ts";

type Extractor = {
  readonly name: (typeof EXTRACTORS)[number];
  readonly command: string;
  /** Arguments of each run, one after another, into `target`. */
  readonly runs: (image: ImageMaterial, target: string) => readonly (readonly string[])[];
};

const WATCH_MS = 20;

export const extractImage: Measurement = {
  name: "extract-image",
  measure: async (bench) => {
    const directory = join(bench.directory, "extract");
    mkdirSync(directory);
    const image = await makeImage(directory, bench.material.big.size);
    const extractors = presentOf(bench, extractorsOf(bench.granaryLauncher));
    const { speed = {}, memory = {} } = await takeTurns(bench, "extract", extractors, (extractor) =>
      measureOne(extractor, image, join(directory, `out-${extractor.name}`)),
    );
    rmSync(directory, { recursive: true });
    const title = `extract an image (${image.size / 2 ** 20} MiB, 3 gzip layers)`;
    return [
      {
        name: title,
        unit: "MB/s",
        contenders: EXTRACTORS,
        values: speed,
        checks: [atLeastTimes(speed, "umoci", 1)],
      },
      {
        name: `${title}: peak memory`,
        unit: "MB",
        contenders: EXTRACTORS,
        values: memory,
        checks: [atMost(memory.granary, 150, "MB")],
      },
    ];
  },
};

function extractorsOf(launcher: string): readonly Extractor[] {
  return [
    {
      name: "granary",
      command: process.execPath,
      runs: ({ layout }, target) => [[launcher, "image", "extract", `ocifile:${layout}`, target, "--quiet"]],
    },
    {
      name: "umoci",
      command: "umoci",
      runs: ({ layout }, target) => [["unpack", "--image", `${layout}:bench`, target]],
    },
    {
      name: "tar",
      command: "tar",
      runs: ({ layers }, target) => layers.map((layer) => ["-C", target, "-xzf", layer]),
    },
  ];
}

function presentOf(bench: Bench, extractors: readonly Extractor[]): Extractor[] {
  return extractors.filter(({ command, name }) => {
    if (command === process.execPath || findCommand(command) !== undefined) return true;
    bench.note(`skipping ${name}: it is not installed`);
    return false;
  });
}

async function measureOne(
  { command, runs }: Extractor,
  image: ImageMaterial,
  target: string,
): Promise<{ speed: number; memory: number }> {
  if (command === "tar") mkdirSync(target);
  const begunAt = performance.now();
  let memory = 0;
  for (const args of runs(image, target)) memory = Math.max(memory, await runWatched(command, args));
  const seconds = (performance.now() - begunAt) / 1000;
  rmSync(target, { recursive: true });
  return { speed: image.size / 1e6 / seconds, memory: memory / 1e6 };
}

/** Runs to the end and returns the peak memory, bytes: the high-water mark is read as long as the process is there. */
async function runWatched(command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  let complaint = "";
  child.stderr.on("data", (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  let peak = 0;
  const watch = setInterval(() => {
    try {
      const now = peakMemory(child.pid ?? 0);
      if (now > peak) peak = now; // It is no number while the process is ending.
    } catch {
      // It ended between the question and the answer.
    }
  }, WATCH_MS);
  const [code] = await once(child, "close");
  clearInterval(watch);
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${complaint.trim()}`);
  return peak;
}
