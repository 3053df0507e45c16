/**
 * Owns a real PostgreSQL for tests: one server in a directory of its own on a free port of the loopback, which can be stopped, killed, frozen and
 * started again, and an empty database for whoever asks. It keeps nothing when it ends.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, globSync, readdirSync, readFileSync } from "node:fs";
import { chown, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import postgres from "postgres";
import { freePort } from "../free-ports.ts";

const run = promisify(execFile);

const USER = "zora-the-owner";
const PASSWORD = "pass/word: nobody reads it";

/** What makes tests fast, and costs what is written when the machine fails; `kill` loses nothing that was committed. */
const SETTINGS = {
  fsync: "off",
  full_page_writes: "off",
  listen_addresses: "127.0.0.1",
  max_connections: "60",
  shared_buffers: "32MB",
  autovacuum: "off",
  deadlock_timeout: "50ms",
  // Never asked to be right about the time zone or the language of whoever runs the tests.
  timezone: "UTC",
  lc_messages: "C",
};

export class TestPostgres {
  readonly #directory: string;
  readonly #port: number;
  readonly #settings: Readonly<Record<string, string>>;
  #server: ChildProcess | undefined;
  #names = 0;

  private constructor(directory: string, port: number, settings: Readonly<Record<string, string>>) {
    this.#directory = directory;
    this.#port = port;
    this.#settings = settings;
  }

  /** An empty server that takes connections, with `settings` over those of all tests. To be ended by `end`. */
  static async begin(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
    const directory = await mkdtemp(join(tmpdir(), "granary-postgres-"));
    const server = new TestPostgres(directory, await freePort(), { ...SETTINGS, ...settings });
    if (isRoot()) await chown(directory, ...(await idsOfPostgres()));
    const password = join(directory, "password");
    await writeFile(password, PASSWORD);
    const auth = ["--auth-local=trust", "--auth-host=scram-sha-256", `--pwfile=${password}`];
    const flags = ["-D", server.#data, "-U", USER, ...auth, "--no-sync", "--encoding=UTF8", "--locale=C"];
    await asPostgres("initdb", flags, directory);
    await server.start();
    // It must not outlive the tests, however they end.
    process.once("exit", () => server.#server?.kill("SIGINT"));
    return server;
  }

  get #data(): string {
    return join(this.#directory, "data");
  }

  get port(): number {
    return this.#port;
  }

  /** With the login that no message may hold (`secrets`); a pooler in front of it has another port. */
  addressOf(name: string, port = this.#port): string {
    return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${name}`;
  }

  /** Of the server itself. */
  get address(): string {
    return this.addressOf("postgres");
  }

  get secrets(): readonly string[] {
    return [USER, PASSWORD, encodeURIComponent(PASSWORD)];
  }

  /** The address of a new, empty database. */
  async createDatabase(): Promise<string> {
    const name = `test_${process.pid}_${this.#names++}`;
    await this.#sql((sql) => sql.unsafe(`create database ${name}`));
    return this.addressOf(name);
  }

  /** As an administrator would ask it, for a test to see or change what lies in the database at `address`. */
  async ask(address: string, text: string): Promise<readonly Record<string, unknown>[]> {
    return await asked(address, (sql) => sql.unsafe(text));
  }

  /** From now on it takes encrypted connections too. PEM texts. */
  async encrypt(cert: string, key: string): Promise<void> {
    for (const [name, text] of [
      ["server.crt", cert],
      ["server.key", key],
    ] as const) {
      const path = join(this.#data, name);
      await writeFile(path, text, { mode: 0o600 });
      if (isRoot()) await chown(path, ...(await idsOfPostgres()));
    }
    await this.#sql((sql) => sql.unsafe("alter system set ssl = on"));
    await this.#sql((sql) => sql.unsafe("select pg_reload_conf()"));
    const isOn = () => this.#sql((sql) => sql<{ ssl: string }[]>`show ssl`);
    while ((await isOn())[0]?.ssl !== "on") await new Promise((resolve) => setTimeout(resolve, 25));
  }

  async start(): Promise<void> {
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const flags = ["-D", this.#data, "-p", `${this.#port}`, "-k", this.#directory];
    this.#server = spawnAsPostgres("postgres", [...flags, ...settings], this.#directory);
    while (!(await this.#isReady())) {
      if (this.#server.exitCode !== null) throw new Error("PostgreSQL ended while it was starting.");
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  }

  /** As an administrator does it in a hurry: connections are ended with a word of why. */
  async stop(): Promise<void> {
    await this.#endBy("SIGINT");
  }

  /** All of its processes at once, in the middle of whatever they do. */
  async kill(): Promise<void> {
    const ended = this.#server === undefined ? undefined : once(this.#server, "exit");
    // The first one stops, so that it cannot see its children go.
    for (const pid of this.#processes()) signal(pid, "SIGSTOP");
    const processes = this.#processes();
    for (const pid of processes) signal(pid, "SIGKILL");
    await ended;
    // Until the last of them is gone a new one finds their shared memory in use.
    while (processes.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 5));
    this.#server = undefined;
    await rm(join(this.#data, "postmaster.pid"), { force: true });
  }

  /** It keeps its connections, takes new ones, and says nothing more. */
  freeze(): void {
    for (const pid of this.#processes()) signal(pid, "SIGSTOP");
  }

  thaw(): void {
    for (const pid of this.#processes()) signal(pid, "SIGCONT");
  }

  async end(): Promise<void> {
    this.thaw();
    await this.#endBy("SIGINT");
    await rm(this.#directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  }

  async #endBy(word: NodeJS.Signals): Promise<void> {
    const server = this.#server;
    if (server?.pid === undefined || server.exitCode !== null) return;
    const ended = once(server, "exit");
    signal(this.#postmaster() ?? server.pid, word);
    await ended;
    this.#server = undefined;
  }

  async #isReady(): Promise<boolean> {
    try {
      await run(binary("pg_isready"), ["-q", "-h", "127.0.0.1", "-p", `${this.#port}`]);
      return true;
    } catch {
      return false;
    }
  }

  async #sql<T>(work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
    return await asked(this.address, work);
  }

  #postmaster(): number | undefined {
    const path = join(this.#data, "postmaster.pid");
    return existsSync(path) ? Number(readFileSync(path, "utf8").split("\n")[0]) : undefined;
  }

  /** The server first, then its children. */
  #processes(): number[] {
    const first = this.#server === undefined ? undefined : this.#postmaster();
    if (first === undefined) return [];
    return [
      first,
      ...readdirSync("/proc")
        .filter((name) => parentOf(name) === first)
        .map(Number),
    ];
  }
}

function parentOf(pid: string): number | undefined {
  if (!/^\d+$/.test(pid)) return undefined;
  return Number(/^PPid:\s+(\d+)/m.exec(statusOf(pid))?.[1]);
}

/** Not ended, nor ended and only waiting for its parent to hear of that. */
function isRunning(pid: number): boolean {
  return /^State:\s+[^ZX]/m.test(statusOf(pid));
}

/** "" for a process that has ended meanwhile. */
function statusOf(pid: string | number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, "utf8");
  } catch {
    return "";
  }
}

function signal(pid: number, word: NodeJS.Signals): void {
  try {
    process.kill(pid, word);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ESRCH")) throw error;
  }
}

async function asked<T>(address: string, work: (sql: postgres.Sql) => PromiseLike<T>): Promise<T> {
  const sql = postgres(address, { max: 1, onnotice: () => undefined });
  try {
    return await work(sql);
  } finally {
    await sql.end();
  }
}

function binary(name: string): string {
  const found = globSync(`/usr/lib/postgresql/*/bin/${name}`).sort().at(-1);
  if (found === undefined)
    throw new Error("These tests need PostgreSQL: install the package postgresql of your distribution.");
  return found;
}

/** It refuses to run as root. */
function isRoot(): boolean {
  return userInfo().uid === 0;
}

/** How a program of PostgreSQL's is run here, given its path. */
function command(name: string, args: readonly string[]): [string, string[]] {
  const rest = [binary(name), ...args];
  if (!isRoot()) return [rest[0] ?? "", rest.slice(1)];
  return ["setpriv", ["--reuid=postgres", "--regid=postgres", "--clear-groups", ...rest]];
}

async function asPostgres(name: string, args: readonly string[], cwd: string): Promise<void> {
  await run(...command(name, args), { cwd });
}

function spawnAsPostgres(name: string, args: readonly string[], cwd: string): ChildProcess {
  return spawn(...command(name, args), { cwd, stdio: "ignore" });
}

async function idsOfPostgres(): Promise<[number, number]> {
  const ids = await Promise.all(["-u", "-g"].map((flag) => run("id", [flag, "postgres"])));
  const [user = 0, group = 0] = ids.map(({ stdout }) => Number(stdout));
  return [user, group];
}
