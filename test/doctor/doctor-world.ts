/** Owns what the tests of the doctor share: a real Granary over a fake Docker Hub, and the doctor's command run beside it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import type { Observation } from "../../src/doctor/observation.ts";
import type { FakeOptions, FakeRegistry } from "../support/fake-registry.ts";
import { freePort } from "../support/free-ports.ts";
import { runGranary, startGranary } from "../support/run-granary.ts";
import { startFake } from "../support/start-upstream.ts";
import { tempDirectory } from "../support/temp-directory.ts";

export type Diagnosis = {
  readonly code: number | null;
  readonly well: boolean;
  readonly findings: readonly Observation[];
};

export type DoctorWorld = {
  readonly fake: FakeRegistry;
  readonly directory: string;
  readonly config: string;
  /** Of the listener for Docker Hub. */
  readonly port: number;
  readonly url: string;
  /** Runs until the test is over; resolves when it answers. */
  serve(): Promise<void>;
  /** Writes a file of a client, and gives its path. */
  write(name: string, text: string): Promise<string>;
  /** Of this Granary, with these further options; it pulls nothing. */
  diagnose(...options: string[]): Promise<Diagnosis>;
};

export type WorldOptions = {
  readonly fake?: Partial<FakeOptions>;
  /** Of the listener, of the storage and of the upstream, as YAML inside of braces. */
  readonly listener?: string;
  readonly storage?: string;
  readonly upstream?: (fake: FakeRegistry) => string;
};

export async function doctorWorld(options: WorldOptions = {}): Promise<DoctorWorld> {
  const fake = await startFake({ mode: "hub", ...options.fake });
  fake.addImage("library/hello-world", "latest", { layers: [2_000] });
  const directory = await tempDirectory();
  const config = join(directory, "granary.yaml");
  const port = await freePort();
  const upstream =
    options.upstream?.(fake) ?? `endpoints: ["${fake.url}"], internal: true, realms: [127.0.0.2]`;
  const lines = [
    `listeners: [{ port: ${port}, host: 127.0.0.1, upstream: docker.io, ${options.listener ?? ""} }]`,
    `storage: { directory: ${directory}/data, minFree: 0, ${options.storage ?? ""} }`,
    `upstreams: { docker.io: { ${upstream} } }`,
  ];
  await writeFile(config, lines.join("\n"));
  return {
    fake,
    directory,
    config,
    port,
    url: `http://127.0.0.1:${port}`,
    serve: () => serve(config, port),
    write: async (name, text) => {
      await writeFile(join(directory, name), text);
      return join(directory, name);
    },
    diagnose: (...args) => diagnose("--config", config, "--no-pull", ...args),
  };
}

async function serve(config: string, port: number): Promise<void> {
  const { child, text } = startGranary(["serve", "--config", config]);
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const isUp = async () => {
    if (child.exitCode !== null) throw new Error(text());
    const scheme = text().includes("https://") ? "https" : "http";
    if (scheme === "https") return true;
    return await fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  };
  await expect.poll(isUp, { timeout: 60_000, interval: 50 }).toBe(true);
}

/** Without any proxy of the machine, so that all traffic stays on it. */
const BARE = {
  HTTP_PROXY: "",
  HTTPS_PROXY: "",
  http_proxy: "",
  https_proxy: "",
  ALL_PROXY: "",
  all_proxy: "",
  GRANARY_SERVER: "",
};

export async function diagnose(...args: string[]): Promise<Diagnosis> {
  const { code, out, err } = await runGranary(["doctor", "--json", ...args], { env: BARE });
  if (out === "") throw new Error(err);
  return { code, ...(JSON.parse(out) as { well: boolean; findings: Observation[] }) };
}

/** The sentences of what is wrong, with what to do. */
export function wrongs({ findings }: Diagnosis): string[] {
  return findings
    .filter(({ level }) => level === "wrong")
    .map(({ area, text, todo = "" }) => `${area}: ${text} ${todo}`);
}
