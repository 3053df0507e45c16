/**
 * Owns a running docker-registry over a storage directory: Debian's own, unchanged, as the real upstream. Nothing
 * here knows what is stored in it.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { stringify } from "yaml";
import { BackgroundProgram } from "./background-program.ts";
import { scratchDirectory } from "./scratch-directory.ts";

/** Base URL (without "/v2") of a docker-registry that serves `storage`, until `cleanup` is disposed. */
export async function startDockerRegistry(cleanup: AsyncDisposableStack, storage: string): Promise<string> {
  const scratch = await scratchDirectory(cleanup, "registry");
  const config = join(scratch, "registry.yml");
  await writeFile(config, stringify(settingsFor(storage)));
  const program = new BackgroundProgram("docker-registry", ["serve", config]);
  cleanup.defer(() => program.stop());
  // Port 0: the log line is the only place that names the port the kernel chose.
  const address = await program.until(() => /listening on (127\.0\.0\.1:\d+)/.exec(program.log)?.[1]);
  return `http://${address}`;
}

function settingsFor(storage: string) {
  return {
    version: "0.1",
    log: { level: "info", accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: storage }, cache: { blobdescriptor: "inmemory" } },
    http: { addr: "127.0.0.1:0", secret: "only-for-tests" },
  };
}
