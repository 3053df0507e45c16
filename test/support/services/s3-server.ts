/**
 * Owns one real S3 server of a test: a process over a directory of its own, which can be killed, started over the same data, and frozen. What
 * the servers differ in is a Recipe. Nothing of it outlives the test worker.
 */
import { readdir, readFile, rm } from "node:fs/promises";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import type { BucketSettings } from "../../../src/fleet/s3/bucket-settings.ts";
import { BackgroundProgram } from "../../e2e/support/background-program.ts";
import { scratchDirectory } from "../../e2e/support/scratch-directory.ts";
import { freePorts } from "../free-ports.ts";

export const STORE_KEYS = { accessKey: "granary-tests", secretKey: "only-for-tests-on-loopback" };

export type Recipe = {
  /** The program, as found in PATH. */
  readonly program: string;
  readonly env?: Readonly<Record<string, string>>;
  /** How many ports it wants; the first is that of S3. */
  readonly portCount: number;
  /** The command line over `directory`, into which it may have written files before. */
  args(directory: string, ports: readonly number[]): Promise<readonly string[]>;
  /** Files that it makes outside of its directory and leaves there. */
  leavings?(ports: readonly number[]): readonly string[];
};

export class S3Server {
  readonly endpoint: string;
  readonly keys = STORE_KEYS;
  readonly region = "us-east-1";
  /** Of the recipe, in its order. */
  readonly ports: readonly number[];
  readonly #recipe: Recipe;
  readonly #args: readonly string[];
  #cleanup: AsyncDisposableStack | undefined;
  #process: BackgroundProgram | undefined;
  #buckets = 0;

  private constructor(recipe: Recipe, args: readonly string[], ports: readonly number[]) {
    this.#recipe = recipe;
    this.#args = args;
    this.ports = ports;
    this.endpoint = `http://127.0.0.1:${ports[0] ?? 0}`;
  }

  /** A server that answers. To be ended by `end`. */
  static async open(recipe: Recipe): Promise<S3Server> {
    await using cleanup = new AsyncDisposableStack();
    const directory = await scratchDirectory(cleanup, recipe.program);
    const ports = await freePorts(recipe.portCount);
    const server = new S3Server(recipe, await recipe.args(directory, ports), ports);
    cleanup.defer(async () => {
      await server.stop();
      for (const path of recipe.leavings?.(ports) ?? []) await rm(path, { force: true });
    });
    await server.start();
    server.#cleanup = cleanup.move();
    return server;
  }

  /** Resolves when it answers; over the data that it had before. */
  async start(): Promise<void> {
    const { program, env = {} } = this.#recipe;
    this.#process = new BackgroundProgram(program, this.#args, { env });
    await this.#process.until(() => this.#answers());
  }

  /** Kills it, as a crash would. What it had said was stored is there after `start`. */
  async stop(): Promise<void> {
    await this.#process?.kill();
    this.#process = undefined;
  }

  /** It keeps its connections and answers nothing. Resolves when none of its threads runs any more. */
  async freeze(): Promise<void> {
    this.#signal("SIGSTOP");
    await this.#process?.until(async () =>
      (await this.#states()).every((state) => state === "T") ? true : undefined,
    );
  }

  thaw(): void {
    this.#signal("SIGCONT");
  }

  /** Ends it, and removes its data. */
  async end(): Promise<void> {
    await this.#cleanup?.disposeAsync();
  }

  /** Settings of a new, empty bucket. */
  async newBucket(): Promise<BucketSettings> {
    const name = `bucket-${++this.#buckets}`;
    const { endpoint, region, keys } = this;
    const credentials = { accessKeyId: keys.accessKey, secretAccessKey: keys.secretKey };
    const client = new S3Client({ endpoint, region, credentials, forcePathStyle: true });
    await client.send(new CreateBucketCommand({ Bucket: name }));
    client.destroy();
    return { endpoint, region, name, prefix: "granary/", keys, pathStyle: true };
  }

  #signal(signal: NodeJS.Signals): void {
    if (this.#process === undefined) throw new Error(`${this.#recipe.program} does not run.`);
    process.kill(-this.#process.pid, signal);
  }

  /** One letter for each thread of the process, as the kernel says. */
  async #states(): Promise<readonly string[]> {
    const tasks = `/proc/${this.#process?.pid}/task`;
    const stats = (await readdir(tasks)).map((task) => readFile(`${tasks}/${task}/stat`, "utf8"));
    return (await Promise.all(stats)).map((text) => text.slice(text.lastIndexOf(")") + 2)[0] ?? "");
  }

  /** Any answer that is no error of a server that is not ready. */
  async #answers(): Promise<true | undefined> {
    const status = await fetch(this.endpoint, { signal: AbortSignal.timeout(5_000) }).then(
      async (answer) => {
        await answer.arrayBuffer();
        return answer.status;
      },
      () => 0,
    );
    return status >= 200 && status < 500 ? true : undefined;
  }
}
