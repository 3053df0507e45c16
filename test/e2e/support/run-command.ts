/**
 * Owns the running of one outside program to its end, with its output. It must never leave the program behind:
 * past its time it is killed, and the failure carries what the program last said.
 */
import { spawn } from "node:child_process";

export type CommandOptions = {
  readonly env?: Readonly<Record<string, string>>;
  readonly timeoutMs?: number;
};

const TAIL = 4000;
const PROXY_VARIABLES = /^(https?|all|no)_proxy$/i;

/** Standard output of `file args`; throws with both streams' tails when it fails or takes too long. */
export async function runCommand(
  file: string,
  args: readonly string[],
  { env = {}, timeoutMs = 300_000 }: CommandOptions = {},
): Promise<string> {
  const child = spawn(file, args, {
    env: { ...plainEnvironment(), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timer = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
  const [out, complaints] = [collect(child.stdout), collect(child.stderr)];
  const status = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(signal ?? String(code)));
  }).finally(() => clearTimeout(timer));
  if (status === "0") return out.join("");
  const tail = `${out.join("")}\n${complaints.join("")}`.slice(-TAIL);
  throw new Error(`${file} ${args.join(" ")} ended with ${status}: ${tail}`);
}

/** This process's environment without proxies (test traffic stays on loopback), and with Debian's daemons in PATH. */
export function plainEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined && !PROXY_VARIABLES.test(entry[0]),
  );
  return { ...Object.fromEntries(kept), PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };
}

function collect(stream: NodeJS.ReadableStream): string[] {
  const chunks: string[] = [];
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => chunks.push(chunk));
  return chunks;
}
