/** Owns a real `granary serve` for one test: its configuration, its port, what it has logged, and its end. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished } from "vitest";
import type { FakeRegistry } from "./fake-registry.ts";
import { tempDirectory } from "./temp-directory.ts";
import { ask, type WireAnswer } from "./wire.ts";

const LAUNCHER = fileURLToPath(new URL("../../src/cli/granary.js", import.meta.url));

/** A busy machine takes its time to start a process. */
const STARTED = { timeout: 60_000, interval: 50 };

export type ServingOptions = {
  readonly fake: FakeRegistry;
  /** The storage directory, as the server sees it. */
  readonly directory: string;
  /** Of `storage`, as YAML. */
  readonly storage?: string;
  /** Further lines of the configuration. */
  readonly more?: readonly string[];
  /** The command that runs the given one elsewhere. */
  readonly enter?: (command: readonly string[]) => readonly [string, ...string[]];
};

export type Serving = {
  readonly port: number;
  /** Its configuration file. */
  readonly config: string;
  readonly child: ChildProcess;
  /** The log so far, as JSON lines. */
  lines(): string[];
  get(target: string): Promise<WireAnswer>;
  /** The troubles that `/readyz` tells of. */
  troubles(): Promise<string[]>;
  /** Resolves when it is dead. */
  kill(signal?: NodeJS.Signals): Promise<void>;
};

/** Resolves when it listens; it is killed when the test is over. Throws what it said when it ended instead. */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const { enter = (command) => [command[0] ?? "", ...command.slice(1)] } = options;
  const file = await configure(options);
  const [command, ...args] = enter([process.execPath, LAUNCHER, "serve", "--config", file]);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  const kill = async (signal: NodeJS.Signals = "SIGKILL") => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, "exit");
  };
  onTestFinished(() => kill());
  const listening = () => /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(text);
  await expect.poll(() => listening() !== null || child.exitCode !== null, STARTED).toBe(true);
  const port = Number(listening()?.[1]);
  if (Number.isNaN(port)) throw new Error(`it did not start: ${text}`);
  const get = (target: string) => ask(port, target);
  const troubles = async () => {
    const answer = await get("/readyz");
    if (answer.status !== 200) throw new Error(`not ready: ${answer.status}`);
    return (JSON.parse(answer.body.toString()) as { troubles?: string[] }).troubles ?? [];
  };
  return {
    port,
    config: file,
    child,
    lines: () => text.split("\n").filter(Boolean),
    get,
    troubles,
    kill,
  };
}

async function configure({
  fake,
  directory,
  storage = "minFree: 0",
  more = [],
}: ServingOptions): Promise<string> {
  const file = join(await tempDirectory(), "granary.yaml");
  const lines = [
    "listeners: [{ port: 0, host: 127.0.0.1, upstream: fake.test }]",
    `storage: { directory: ${directory}, ${storage} }`,
    `upstreams: { fake.test: { endpoints: ["${fake.url}"], internal: true } }`,
    "log: { format: json }",
    "drain: 5s",
    ...more,
  ];
  await writeFile(file, lines.join("\n"));
  return file;
}
