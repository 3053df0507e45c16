/** Shows who may use a storage directory: one living server, and the next one as soon as that one is dead, however it died. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { tempDirectory } from "../support/temp-directory.ts";
import { ask } from "../support/wire.ts";

vi.setConfig({ testTimeout: 120_000 });

const CHECKOUT = fileURLToPath(new URL("../..", import.meta.url));
const LAUNCHER = join(CHECKOUT, "src/cli/granary.js");

/** A busy machine takes its time to start a process. */
const STARTED = { timeout: 60_000, interval: 50 };

type Server = { readonly child: ChildProcess; text(): string };

async function configure(): Promise<string> {
  const directory = await tempDirectory();
  const file = join(directory, "granary.yaml");
  const listener = "listeners: [{ port: 0, host: 127.0.0.1, upstream: docker.io }]";
  await writeFile(
    file,
    `${listener}\nstorage: { directory: ${directory}/data, minFree: 0 }\nlog: { format: json }\n`,
  );
  return file;
}

/** In a process group of its own, all of which is killed when the test is over. */
function start(command: string, ...args: string[]): Server {
  const child = spawn(command, args, { cwd: CHECKOUT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  onTestFinished(() => killGroup(child));
  return { child, text: () => text };
}

function serve(file: string): Server {
  return start(process.execPath, LAUNCHER, "serve", "--config", file);
}

function killGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended already.
  }
}

/** The port it listens on; throws what it said when it ended instead. */
async function listening({ child, text }: Server): Promise<number> {
  const found = () => /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(text());
  await expect.poll(() => found() !== null || child.exitCode !== null, STARTED).toBe(true);
  const port = found()?.[1];
  if (port === undefined) throw new Error(`it did not start: ${text()}`);
  return Number(port);
}

async function expectServing(server: Server): Promise<void> {
  expect((await ask(await listening(server), "/readyz")).status).toBe(200);
}

test("`npm start`, killed with all its group, can be started again at once", async () => {
  const file = await configure();
  const first = start("npm", "start", "--", "--config", file);
  await expectServing(first);
  killGroup(first.child);
  await expectServing(serve(file));
});

test("a server that was killed and that nobody has reaped yet holds nothing", async () => {
  const file = await configure();
  // The shell becomes a sleep, which knows nothing of the child that it has: what a container without an init does.
  const command = '"$0" "$@" & echo "pid $!"; exec sleep 600';
  const first = start("sh", "-c", command, process.execPath, LAUNCHER, "serve", "--config", file);
  await listening(first);
  const pid = Number(/pid (\d+)/.exec(first.text())?.[1]);
  process.kill(pid, "SIGKILL");
  await expectServing(serve(file));
  if (existsSync("/proc/self/stat")) expect(await readFile(`/proc/${pid}/stat`, "utf8")).toMatch(/\) Z /);
});

test("the second of two servers says what to do, exit code 2, touches nothing, and the first goes on", async () => {
  const file = await configure();
  const first = serve(file);
  const port = await listening(first);
  // The first thing that whoever holds the directory clears away.
  const leftover = join(file, "..", "data", "granary.lock");
  await writeFile(leftover, "left by an older version");
  // It looks after its directory every few seconds: while it is stopped, whatever changes there is the other's doing.
  first.child.kill("SIGSTOP");
  const second = serve(file);
  // Not "exit": what it said may still be on its way then.
  const [code] = await once(second.child, "close");
  expect(code).toBe(2);
  expect(second.text().trim().split("\n")).toHaveLength(1);
  expect(second.text()).toMatch(/in use by another process\. Stop that one, or set storage\.directory/);
  expect(existsSync(leftover)).toBe(true);
  first.child.kill("SIGCONT");
  expect((await ask(port, "/readyz")).status).toBe(200);
});
