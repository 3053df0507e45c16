/** Owns a real PgBouncer in transaction mode before a test's PostgreSQL. It is there only where the program is installed. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { freePort } from "../free-ports.ts";
import { tempDirectory } from "../temp-directory.ts";
import type { TestPostgres } from "./postgres.ts";

const PROGRAM = "/usr/sbin/pgbouncer";

export const hasPooler = existsSync(PROGRAM);

/** Its port; it ends with the test. It has two connections to the server, so that clients have to share them. */
export async function startPooler(server: TestPostgres): Promise<number> {
  const directory = join(await tempDirectory(), "pooler");
  await mkdir(directory);
  const port = await freePort();
  const { username, password } = new URL(server.address);
  const users = join(directory, "users");
  await writeFile(users, `"${username}" "${decodeURIComponent(password)}"\n`);
  const settings = join(directory, "pgbouncer.ini");
  await writeFile(settings, settingsOf(server.port, port, users));
  await chmod(directory, 0o755);
  await chmod(join(directory, ".."), 0o755);
  // It refuses to run as root, and needs nobody in particular.
  const user = userInfo().uid === 0 ? ["-u", "postgres"] : [];
  const pooler = spawn(PROGRAM, [...user, "-q", settings], { stdio: "ignore" });
  onTestFinished(async () => {
    const ended = once(pooler, "exit");
    if (pooler.exitCode === null && pooler.kill("SIGKILL")) await ended;
  });
  while (!(await takesConnections(port))) {
    if (pooler.exitCode !== null) throw new Error("PgBouncer ended while it was starting.");
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return port;
}

function settingsOf(serverPort: number, port: number, users: string): string {
  return `
[databases]
* = host=127.0.0.1 port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = plain
auth_file = ${users}
pool_mode = transaction
default_pool_size = 2
server_login_retry = 1
`;
}

async function takesConnections(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
