/**
 * Owns a real load balancer in front of a test's nodes: HAProxy or nginx with the repository's own configuration, of which only the addresses are
 * others. It must never change what the configuration says about retries, time or health.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { BackgroundProgram } from "../../e2e/support/background-program.ts";
import type { GranaryProcess } from "../../e2e/support/granary-process.ts";
import { installed } from "../../e2e/support/required-programs.ts";
import { scratchDirectory } from "../../e2e/support/scratch-directory.ts";
import { freePorts } from "../free-ports.ts";

/** The ports of the configurations, and whose bare names they mean there. */
const LISTENERS = [
  { port: 5000, upstream: "docker.io" },
  { port: 11435, upstream: "registry.ollama.ai" },
] as const;

export type BalancedUpstream = (typeof LISTENERS)[number]["upstream"];
type Node = Pick<GranaryProcess, "port">;
type Kind = {
  readonly program: string;
  readonly config: string;
  /** `own` is the port that the balancer listens on in place of `listed`. */
  readonly listening: (text: string, listed: number, own: number) => string;
  readonly args: (config: string, directory: string) => readonly string[];
};

const HAPROXY: Kind = {
  program: "haproxy",
  config: "haproxy.fleet.cfg",
  // Addresses need no resolver.
  listening: (text, listed, own) =>
    text
      .replace(/^resolvers names\n(?: {2}.*\n)+/m, "")
      .replaceAll(" resolvers names init-addr libc,none", "")
      .replace(`bind :${listed}\n`, `bind 127.0.0.1:${own}\n`),
  args: (config) => ["-db", "-f", config],
};

const NGINX: Kind = {
  program: "nginx",
  config: "nginx.fleet.conf",
  listening: (text, listed, own) => text.replace(`listen ${listed};`, `listen 127.0.0.1:${own};`),
  args: (config, directory) => ["-c", config, "-p", directory, "-g", `daemon off; pid ${directory}/pid;`],
};

/** The balancer that is installed here; HAProxy where both are. */
export const BALANCER = installed("haproxy") ? HAPROXY : NGINX;

export class LoadBalancer {
  readonly #ports: ReadonlyMap<string, number>;

  private constructor(ports: ReadonlyMap<string, number>) {
    this.#ports = ports;
  }

  /** Before three `nodes`, each with a listener for both upstreams of the configurations. It answers when this resolves. */
  static async begin(cleanup: AsyncDisposableStack, nodes: readonly Node[]): Promise<LoadBalancer> {
    const directory = await scratchDirectory(cleanup, BALANCER.program);
    const own = await freePorts(LISTENERS.length);
    const ports = new Map(LISTENERS.map(({ upstream }, index) => [upstream as string, own[index] ?? 0]));
    const config = join(directory, BALANCER.config);
    await writeFile(config, await configurationFor(nodes, ports));
    const program = new BackgroundProgram(BALANCER.program, BALANCER.args(config, directory));
    cleanup.defer(() => program.stop());
    const balancer = new LoadBalancer(ports);
    await program.until(async () => {
      const answer = await fetch(`${balancer.url("docker.io")}/readyz`).catch(() => undefined);
      await answer?.body?.cancel();
      return answer?.ok === true ? true : undefined;
    });
    return balancer;
  }

  /** The port whose bare names mean `upstream`. */
  port(upstream: BalancedUpstream): number {
    return this.#ports.get(upstream) ?? 0;
  }

  url(upstream: BalancedUpstream): string {
    return `http://127.0.0.1:${this.port(upstream)}`;
  }
}

async function configurationFor(nodes: readonly Node[], ports: ReadonlyMap<string, number>): Promise<string> {
  const path = fileURLToPath(new URL(`../../../config/${BALANCER.config}`, import.meta.url));
  let text = await readFile(path, "utf8");
  for (const { port, upstream } of LISTENERS) {
    text = BALANCER.listening(text, port, ports.get(upstream) ?? 0);
    for (const [index, node] of nodes.entries())
      text = text.replaceAll(`granary-${index + 1}:${port}`, `127.0.0.1:${node.port(upstream)}`);
  }
  if (/granary-\d:/.test(text)) throw new Error(`${path} has nodes that this test does not know.`);
  return text;
}
