/** Owns `granary health`: asks a running Granary whether it is ready. For people, scripts and container health checks. */
import { get } from "node:http";
import { Command } from "commander";
import { GranaryError } from "../errors.ts";
import { printJson, printLine } from "./output.ts";

const TIMEOUT_MS = 5_000;

export function healthCommand(): Command {
  return new Command("health")
    .description("Ask a running Granary whether it is ready; exit code 0 when it is, 1 when it is not.")
    .option("--url <url>", "any listener of it", "http://127.0.0.1:5000")
    .option("--json", "print the answer as JSON")
    .action(async ({ url, json }: { url: string; json?: boolean }) => {
      const status = await statusOf(readyUrl(url));
      const isReady = status === 200;
      if (json === true) printJson({ url, status, ready: isReady });
      else
        printLine(
          isReady ? `Granary at ${url} is ready.` : `Granary at ${url} is not ready: it answers ${status}.`,
        );
      process.exitCode = isReady ? 0 : 1;
    });
}

function readyUrl(url: string): URL {
  if (!URL.canParse(url))
    throw new GranaryError("reference-invalid", `"${url}" is not a URL such as http://127.0.0.1:5000.`);
  return new URL("/readyz", url);
}

/** The status that `/readyz` answers. */
function statusOf(url: URL): Promise<number> {
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(
        new GranaryError("upstream-unavailable", `Nothing answers at ${url.origin}: ${error.message}.`, {
          cause: error,
        }),
      );
    const request = get(url, { timeout: TIMEOUT_MS }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on("timeout", () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on("error", failed);
  });
}
