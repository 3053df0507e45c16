/** Owns the versions of the official registry, and how one is started with what a contender adds to its configuration. */
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import { startChild } from "../support/children.ts";
import { findCommand } from "../support/find-command.ts";
import { untilAnswering } from "../support/until-answering.ts";
import type { Place, Running } from "./contender.ts";

export type RegistryVersion = 2 | 3;

/** Debian's package has the old one under its own name; the new one is what `go install` and the releases call it. */
const COMMANDS: Record<RegistryVersion, string> = { 2: "docker-registry", 3: "registry" };

export function registryIsMissing(version: RegistryVersion): string | undefined {
  const command = findCommand(COMMANDS[version]);
  if (!command) return `${COMMANDS[version]} (distribution ${version}) is not on the PATH.`;
  const said = spawnSync(command, ["--version"], { encoding: "utf8" }).stdout;
  return version === 2 || said.includes("/distribution/v3 ")
    ? undefined
    : `${command} is not distribution 3.`;
}

export async function startRegistry(
  version: RegistryVersion,
  { directory, upstream, enter }: Place,
  extraConfiguration: string,
): Promise<Running> {
  const port = await freePort();
  mkdirSync(join(directory, "store"), { recursive: true });
  const config = join(directory, "registry.yml");
  writeFileSync(config, configuration(directory, port) + extraConfiguration);
  const log = join(directory, "registry.log");
  const command = findCommand(COMMANDS[version]) ?? COMMANDS[version];
  // Without the first, version 3 looks for a collector of traces.
  const env = { OTEL_TRACES_EXPORTER: "none", ...(upstream.caFile && { SSL_CERT_FILE: upstream.caFile }) };
  const child = startChild(command, ["serve", config], log, { env, enter });
  child.stdout.resume();
  await untilAnswering(port, "/v2/", child, log);
  return { pid: child.pid, port, stop: child.stop };
}

function configuration(directory: string, port: number): string {
  return `version: 0.1
log: { level: error, accesslog: { disabled: true } }
storage:
  cache: { blobdescriptor: inmemory }
  filesystem: { rootdirectory: ${directory}/store }
http: { addr: "127.0.0.1:${port}", secret: bench }
health: { storagedriver: { enabled: false } }
`;
}
