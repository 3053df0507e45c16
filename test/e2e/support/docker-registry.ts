/**
 * Owns a running docker-registry over a storage directory: Debian's own, unchanged, as the real upstream. Nothing
 * here knows what is stored in it.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { BackgroundProgram } from "./background-program.ts";
import { scratchDirectory } from "./scratch-directory.ts";

export type RunningRegistry = {
  /** Without "/v2". */
  readonly url: string;
  /** Bytes of blobs that it has sent since it was started, of all repositories. */
  blobBytes(): number;
  /** Refuses connections from then on. */
  stop(): Promise<void>;
};

/** Base URL (without "/v2") of a docker-registry that serves `storage`, until `cleanup` is disposed. */
export async function startDockerRegistry(cleanup: AsyncDisposableStack, storage: string): Promise<string> {
  return (await runDockerRegistry(cleanup, storage)).url;
}

/** `login` is a line of an htpasswd file; everybody may read and write where it is left out. */
export async function runDockerRegistry(
  cleanup: AsyncDisposableStack,
  storage: string,
  login?: string,
): Promise<RunningRegistry> {
  const scratch = await scratchDirectory(cleanup, "registry");
  const config = join(scratch, "registry.yml");
  const passwords = join(scratch, "htpasswd");
  if (login !== undefined) await writeFile(passwords, `${login}\n`);
  const auth = login === undefined ? {} : { auth: { htpasswd: { realm: "lab", path: passwords } } };
  await writeFile(config, stringify({ ...settingsFor(storage), ...auth }));
  const program = new BackgroundProgram("docker-registry", ["serve", config]);
  cleanup.defer(() => program.stop());
  // Port 0: the log line is the only place that names the port the kernel chose.
  const address = await program.until(() => /listening on (127\.0\.0\.1:\d+)/.exec(program.log)?.[1]);
  return {
    url: `http://${address}`,
    blobBytes: () => blobBytesIn(program.log),
    stop: () => program.stop(),
  };
}

function blobBytesIn(log: string): number {
  const answers = log.matchAll(
    /"response completed".* http\.request\.method=GET .*\/blobs\/sha256:.* http\.response\.written=(\d+)/g,
  );
  return [...answers].reduce((sum, [, bytes]) => sum + Number(bytes), 0);
}

function settingsFor(storage: string) {
  return {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, cache: { blobdescriptor: "inmemory" } },
    http: { addr: "127.0.0.1:0", secret: "only-for-tests" },
  };
}
