/**
 * Owns credential helpers (docs/protocol.md#credential-helpers): one run of `docker-credential-NAME get`, with the registry on stdin and JSON
 * on stdout, and the short memory of its answer, so that a pull of many blobs does not start a process for each. There is no shell and no
 * secret in arguments or environment; time and output are limited, and what a helper prints enters no message. It does not decide which
 * helper is asked, and remembers no failure.
 */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { LRUCache } from "lru-cache";
import type { Environment } from "../environment.ts";
import { GranaryError } from "../errors.ts";
import type { Clock } from "../observe/clock.ts";
import type { Credentials } from "../oci/credentials.ts";
import { JSON_BOUNDS, parseJsonObject, textOf } from "../oci/json-value.ts";
import { expiringBy, mostEntries } from "../waiting/expiry.ts";
import { HELPER_RETRIES } from "../waiting/retry-numbers.ts";
import { SingleFlight } from "../waiting/single-flight.ts";

type HelperCall = {
  /** What follows "docker-credential-". */
  readonly helper: string;
  /** As docker names the registry: a host, or Docker Hub's `https://index.docker.io/v1/`. */
  readonly server: string;
  /** Where the helper is named, for messages. */
  readonly rule: string;
};

export type CredentialHelpersOptions = {
  readonly env: Environment;
  readonly clock: Clock;
  /** The longest run of a helper. */
  readonly timeoutMs?: number;
};

/** `since` of the clock's `elapsed`. */
type Answer = { readonly credentials: Credentials | undefined; readonly since: number };

/** A login that was changed or ended counts after this; the tokens that helpers give live for an hour and more. */
const FOUND_MS = 60_000;
/** Far more than the registries and helpers of one machine. */
const MOST_ANSWERS = 1_000;

const NAME = /^[a-zA-Z0-9._-]+$/;
/** Bytes of each output. */
const MAX_OUTPUT = 256 * 1024;
const NOT_FOUND = /credentials not found/i;

const execute = promisify(execFile);

export class CredentialHelpers {
  readonly #env: Environment;
  readonly #clock: Clock;
  readonly #timeoutMs: number;
  readonly #answers: LRUCache<string, Answer>;
  readonly #running: SingleFlight<Credentials | undefined>;

  constructor({ env, clock, timeoutMs = HELPER_RETRIES.timeoutMs }: CredentialHelpersOptions) {
    this.#env = env;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
    this.#answers = new LRUCache({ ...expiringBy(clock), ...mostEntries(MOST_ANSWERS) });
    this.#running = new SingleFlight(clock);
  }

  /** Forgets answers that are more than a few seconds old, because one of them was refused. */
  forgetOld(): void {
    const now = this.#clock.elapsed();
    for (const [key, { since }] of [...this.#answers.entries()]) {
      if (now - since >= HELPER_RETRIES.refusedMs) this.#answers.delete(key);
    }
  }

  /**
   * The helper's credentials, at most a minute old; undefined when it has none for that registry. Callers at the same time share one run.
   * Throws `config-invalid`.
   */
  async get(call: HelperCall): Promise<Credentials | undefined> {
    const key = JSON.stringify([call.helper, call.server, call.rule]);
    const known = this.#answers.get(key);
    if (known !== undefined) return known.credentials;
    return await this.#running.run(key, () => this.#ask(key, call));
  }

  async #ask(key: string, call: HelperCall): Promise<Credentials | undefined> {
    const credentials = await runHelper(call, this.#env, this.#timeoutMs);
    const ttl = credentials === undefined ? HELPER_RETRIES.noneMs : FOUND_MS;
    this.#answers.set(key, { credentials, since: this.#clock.elapsed() }, { ttl });
    return credentials;
  }
}

async function runHelper(
  call: HelperCall,
  env: Environment,
  timeoutMs: number,
): Promise<Credentials | undefined> {
  const { helper, rule, server } = call;
  if (!NAME.test(helper)) {
    throw invalid(
      `${rule} names a credential helper that is no name: letters, digits, "." "_" "-" may be in it`,
    );
  }
  // At the end of its time or room, Node closes the pipes as well: children of the helper may hold them for longer.
  const running = execute(`docker-credential-${helper}`, ["get"], {
    env,
    timeout: timeoutMs,
    maxBuffer: MAX_OUTPUT,
    killSignal: "SIGKILL",
    encoding: "buffer",
  });
  // A helper may end before it has read its input (EPIPE).
  running.child.stdin?.on("error", () => undefined).end(`${server}\n`);
  try {
    return parseAnswer((await running).stdout, call);
  } catch (error) {
    if (error instanceof GranaryError) throw error;
    if (saysNotFound(error)) return undefined;
    // Neither the error nor its message goes further: they hold what the helper printed.
    throw failed(call, problemOf(error, timeoutMs));
  }
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

/** True when the helper ended by itself and said that it has no login for that registry, on either output. */
function saysNotFound(error: unknown): boolean {
  if (!(error instanceof Error) || !("stdout" in error) || !("stderr" in error)) return false;
  const hasEnded = "killed" in error && error.killed === false;
  return hasEnded && (NOT_FOUND.test(String(error.stdout)) || NOT_FOUND.test(String(error.stderr)));
}

/** What went wrong, as the end of a sentence: a text as `code` is Node's, a number the status of the helper. */
function problemOf(error: unknown, timeoutMs: number): string {
  const { code, killed } = { code: undefined, killed: false, ...(error instanceof Error ? error : {}) };
  if (code === "ERR_CHILD_PROCESS_STDIO_MAXBUFFER") return `printed more than ${MAX_OUTPUT} bytes`;
  if (killed) return `gave no answer in ${timeoutMs / 1000} s`;
  if (code === "ENOENT") return "is not in PATH";
  if (typeof code === "string") return `could not be started (${code})`;
  return `ended with ${typeof code === "number" ? `status ${code}` : "a signal"}`;
}

function failed({ helper, rule, server }: HelperCall, reason: string): GranaryError {
  return invalid(
    `docker-credential-${helper}, the credential helper of ${rule}, ${reason}: try "echo ${server} | docker-credential-${helper} get"`,
  );
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", `${message}.`);
}
