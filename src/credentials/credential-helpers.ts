/**
 * Owns one run of a credential helper (docker-credential-helpers): `docker-credential-NAME get`, the registry on stdin, JSON on
 * stdout. No shell, no secret in arguments or environment, an end to time and output; what a helper prints enters no message.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import type { Environment } from "../environment.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Credentials } from "../oci/credentials.ts";
import { JSON_BOUNDS, parseJsonObject, textOf } from "../oci/json-value.ts";

export type HelperCall = {
  /** What follows "docker-credential-". */
  readonly helper: string;
  /** As docker names the registry: a host, or Docker Hub's `https://index.docker.io/v1/`. */
  readonly server: string;
  /** Where the helper is named, for messages. */
  readonly rule: string;
};

export type HelperOptions = {
  readonly env: Environment;
  readonly clock: Clock;
  readonly timeoutMs: number;
};

const NAME = /^[a-zA-Z0-9._-]+$/;
const MAX_OUTPUT = 256 * 1024;
const NOT_FOUND = /credentials not found/i;

type Ended = {
  /** null after a signal. */
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: Buffer;
};

/** The helper's credentials; undefined when it has none for that registry. Throws `config-invalid`. */
export async function runHelper(call: HelperCall, options: HelperOptions): Promise<Credentials | undefined> {
  const { helper, rule } = call;
  if (!NAME.test(helper)) {
    throw invalid(
      `${rule} names a credential helper that is no name: letters, digits, "." "_" "-" may be in it`,
    );
  }
  const { code, stdout, stderr } = await run(call, options);
  if (code === 0) return parseAnswer(stdout, call);
  if (NOT_FOUND.test(stdout.toString("utf8")) || NOT_FOUND.test(stderr.toString("utf8"))) return undefined;
  throw failed(call, `ended with ${code === null ? "a signal" : `status ${code}`}`);
}

function parseAnswer(output: Buffer, call: HelperCall): Credentials | undefined {
  const answer = parseJsonObject(output, JSON_BOUNDS.login);
  if (answer === undefined) throw failed(call, "printed something that is not JSON");
  const username = textOf(answer.Username);
  const secret = textOf(answer.Secret);
  if (secret === undefined) return undefined;
  const { rule } = call;
  // The protocol's mark for an identity token.
  if (username === "<token>") return { identityToken: secret, rule };
  return { username: username ?? "", password: secret, rule };
}

function run(call: HelperCall, { env, clock, timeoutMs }: HelperOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(`docker-credential-${call.helper}`, ["get"], { env, stdio: "pipe" });
    const giveUp = (reason: string) => {
      timer.cancel();
      abandon(child);
      reject(failed(call, reason));
    };
    const timer = clock.after(timeoutMs, () => giveUp(`gave no answer in ${timeoutMs / 1000} s`));
    const tooMuch = () => giveUp(`printed more than ${MAX_OUTPUT} bytes`);
    const stdout = collect(child.stdout, tooMuch);
    const stderr = collect(child.stderr, tooMuch);
    child.on("error", (error) => giveUp(spawnProblem(error)));
    child.on("close", (code) => {
      timer.cancel();
      resolve({ code, stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr) });
    });
    child.stdin.on("error", () => undefined); // A helper need not read before it ends.
    child.stdin.end(`${call.server}\n`);
  });
}

/** The chunks of `stream` so far; `tooMuch` is called when they pass the limit. */
function collect(stream: Readable, tooMuch: () => void): readonly Buffer[] {
  const chunks: Buffer[] = [];
  let length = 0;
  stream.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length > MAX_OUTPUT) tooMuch();
    else chunks.push(chunk);
  });
  return chunks;
}

/** A helper's own children may hold its pipes: nobody waits for those. */
function abandon(child: ChildProcessWithoutNullStreams): void {
  child.kill("SIGKILL");
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
}

function spawnProblem(error: Error): string {
  const code = "code" in error ? String(error.code) : "unknown";
  return code === "ENOENT" ? "is not in PATH" : `could not be started (${code})`;
}

function failed({ helper, rule, server }: HelperCall, reason: string): GranaryError {
  return invalid(
    `docker-credential-${helper}, the credential helper of ${rule}, ${reason}: try "echo ${server} | docker-credential-${helper} get"`,
  );
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", `${message}.`);
}
