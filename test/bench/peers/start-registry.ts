/** Owns how docker-registry is started, with what each of the two contenders adds to its configuration. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startChild } from "../support/children.ts";
import { findCommand } from "../support/find-command.ts";
import { freePort, untilAnswering } from "../support/ports.ts";
import type { Running } from "./contender.ts";

export function registryIsMissing(): string | undefined {
  return findCommand("docker-registry") ? undefined : "docker-registry is not installed.";
}

export async function startRegistry(directory: string, extraConfiguration: string): Promise<Running> {
  const port = await freePort();
  mkdirSync(join(directory, "store"), { recursive: true });
  const config = join(directory, "registry.yml");
  writeFileSync(config, configuration(directory, port) + extraConfiguration);
  const log = join(directory, "registry.log");
  const child = startChild(findCommand("docker-registry") ?? "docker-registry", ["serve", config], log);
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
