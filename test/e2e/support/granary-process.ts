/**
 * Owns a Granary of its own for a test: a real child process with a configuration file, a data directory and free
 * ports, that can be stopped, killed and started again on the same data.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { stringify } from "yaml";
import { freePorts } from "../../support/free-ports.ts";
import { BackgroundProgram } from "./background-program.ts";
import { runCommand } from "./run-command.ts";
import { scratchDirectory } from "./scratch-directory.ts";

export type GranaryOptions = {
  /** Settings of each upstream that gets a listener of its own, as the configuration file spells them. */
  readonly upstreams: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Further listeners, by a name under which `port` knows them, with the settings of each; those of an upstream's own go by its name. */
  readonly listeners?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Where its listeners listen; on loopback alone when left out. */
  readonly listen?: string;
  /** The address by which it is reached; that of loopback when left out. */
  readonly address?: string;
  /** What runs it, such as a command that puts it into a network of its own; nothing when left out. */
  readonly command?: readonly string[];
  /** The budget, such as "100MiB"; more than any test needs when left out. */
  readonly maxSize?: string;
  /** The admin face on a port of loopback, with these settings of its own; there is none when left out. */
  readonly admin?: Readonly<Record<string, unknown>>;
  /** Variables that the configuration file names. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further sections of the configuration file. */
  readonly sections?: Readonly<Record<string, unknown>>;
};

const LOOPBACK = "127.0.0.1";
/** Another build of the same program can be put through the same tests. */
const LAUNCHER =
  process.env.GRANARY_LAUNCHER ?? fileURLToPath(new URL("../../../src/cli/granary.js", import.meta.url));

export async function startGranary(
  cleanup: AsyncDisposableStack,
  options: GranaryOptions,
): Promise<GranaryProcess> {
  const scratch = await scratchDirectory(cleanup, "granary");
  const names = Object.keys({ ...options.upstreams, ...options.listeners });
  const [adminPort = 0, ...ports] = await freePorts(names.length + 1);
  const portOf = new Map(names.map((name, index) => [name, ports[index] ?? 0]));
  const config = join(scratch, "granary.yaml");
  await mkdir(join(scratch, "data"));
  await writeFile(config, stringify(settingsFor(scratch, portOf, adminPort, options)));
  const { address = LOOPBACK, command, env } = options;
  const granary = new GranaryProcess(config, portOf, `http://${address}:${adminPort}`, env, {
    address,
    ...(command !== undefined && { command }),
  });
  cleanup.defer(() => granary.stop());
  await granary.start();
  return granary;
}

type GranaryPlace = Required<Pick<GranaryOptions, "address">> & Pick<GranaryOptions, "command">;

export class GranaryProcess {
  readonly #config: string;
  readonly #env: Readonly<Record<string, string>>;
  readonly #ports: ReadonlyMap<string, number>;
  /** Where the admin face is, if it has one. */
  readonly admin: string;
  readonly #place: GranaryPlace;
  #program: BackgroundProgram | undefined;
  /** What it had said before it was started again. */
  #before = "";

  constructor(
    config: string,
    ports: ReadonlyMap<string, number>,
    admin: string,
    env: Readonly<Record<string, string>> = {},
    place: GranaryPlace = { address: LOOPBACK },
  ) {
    this.#place = place;
    this.#config = config;
    this.#env = env;
    this.#ports = ports;
    this.admin = admin;
  }

  /** The port whose bare names mean `upstream`, or that of a further listener. */
  port(upstream: string): number {
    const port = this.#ports.get(upstream);
    if (port === undefined) throw new Error(`no listener for ${upstream}`);
    return port;
  }

  /** Path of its configuration file. */
  get config(): string {
    return this.#config;
  }

  url(upstream: string): string {
    return `http://${this.#place.address}:${this.port(upstream)}`;
  }

  get log(): string {
    return this.#program?.log ?? "";
  }

  /** Since the first start. */
  get wholeLog(): string {
    return this.#before + this.log;
  }

  /** Starts (again) and resolves when it is ready. */
  async start(): Promise<void> {
    this.#before = this.wholeLog;
    const { address, command = [] } = this.#place;
    const words = [...command, process.execPath, LAUNCHER, "serve", "--config", this.#config];
    const program = new BackgroundProgram(words[0] ?? "", words.slice(1), { env: this.#env });
    this.#program = program;
    const [port] = this.#ports.values();
    await program.until(() => readyAt(`http://${address}:${port}/readyz`));
  }

  /** What a command says that asks this Granary, running or not: "pulls", "--json". */
  ask(...args: string[]): Promise<string> {
    return runCommand(process.execPath, [LAUNCHER, ...args, "--config", this.#config], {
      env: this.#env,
    });
  }

  /** SIGTERM, and what it needs to drain. */
  async stop(): Promise<void> {
    await this.#program?.stop();
  }

  /** SIGSTOP: it keeps its connections and does nothing, until `thaw`. */
  freeze(): void {
    process.kill(this.#program?.pid ?? 0, "SIGSTOP");
  }

  thaw(): void {
    process.kill(this.#program?.pid ?? 0, "SIGCONT");
  }

  /** SIGKILL: no chance to save anything. */
  async kill(): Promise<void> {
    await this.#program?.kill();
  }
}

async function readyAt(url: string): Promise<true | undefined> {
  const answer = await fetch(url).catch(() => undefined);
  await answer?.body?.cancel();
  return answer?.ok === true ? true : undefined;
}

function settingsFor(
  scratch: string,
  portOf: ReadonlyMap<string, number>,
  adminPort: number,
  {
    upstreams,
    maxSize = "50GiB",
    admin,
    sections = {},
    listen = "127.0.0.1",
    listeners = {},
  }: GranaryOptions,
) {
  return {
    listeners: [...portOf].map(([name, port]) => ({
      host: listen,
      port,
      upstream: name,
      ...listeners[name],
    })),
    storage: { directory: join(scratch, "data"), maxSize, minFree: "100MiB" },
    upstreams,
    ...(admin !== undefined && { admin: { host: "127.0.0.1", port: adminPort, ...admin } }),
    ...sections,
  };
}
