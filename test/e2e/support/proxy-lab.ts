/**
 * Owns a lab behind Granary's proxy: real registries whose names Granary alone can resolve, and what a client is told so that it pulls by
 * these names. A client that goes past the proxy finds nothing.
 */
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import { type RunningRegistry, runDockerRegistry } from "./docker-registry.ts";
import { type GranaryProcess, startGranary } from "./granary-process.ts";
import { scratchDirectory } from "./scratch-directory.ts";
import { pushSmallImage } from "./small-image.ts";
import type { StoredImage } from "./upstream-content.ts";

export const PROXY_PROGRAMS = ["docker-registry", "unshare", "mount"];

export const LOGIN = { username: "lab", password: "granary-secret" };
/** A line of an htpasswd file, which docker-registry reads in bcrypt alone. */
const LOGIN_LINE = `${LOGIN.username}:$2y$05$aaaaaaaaaaaaaaaaaaaaaO1nZR.UfSUu7ODtXF5cFdNC93PT8cNza`;

type LabRegistry = RunningRegistry & {
  /** `app:1`, other content in each. */
  readonly image: StoredImage;
};

export type ProxyLab = {
  readonly granary: GranaryProcess;
  /** `http://HOST:PORT` of the proxy. */
  readonly proxy: string;
  /** PEM file of its authority. */
  readonly caFile: string;
  /** For a client in Go: the proxy, and the authority as the only one that it trusts. */
  readonly env: Readonly<Record<string, string>>;
  /** `one.test` and `two.test`. */
  readonly one: LabRegistry;
  readonly two: LabRegistry;
  /** Wants a login: `private.test`, which Granary has too, and `theirs.test`, which only clients have. */
  readonly locked: LabRegistry;
};

export async function startProxyLab(cleanup: AsyncDisposableStack): Promise<ProxyLab> {
  const one = await startRegistry(cleanup, 1);
  const two = await startRegistry(cleanup, 2);
  const locked = await startRegistry(cleanup, 3, LOGIN_LINE);
  const port = await freePort();
  const at = (name: string, { url }: RunningRegistry) => ({
    endpoints: [`http://${name}:${new URL(url).port}`],
    internal: true,
  });
  const granary = await startGranary(cleanup, {
    upstreams: {
      "one.test": at("one.test", one),
      "two.test": at("two.test", two),
      "private.test": {
        ...at("private.test", locked),
        username: LOGIN.username,
        passwordFile: await passwordFile(cleanup),
      },
      "theirs.test": at("theirs.test", locked),
    },
    sections: { proxy: { host: "127.0.0.1", port } },
    command: await withNames(cleanup, ["one.test", "two.test", "private.test", "theirs.test"]),
  });
  const caFile = join(dirname(granary.config), "data/authority/ca.crt");
  const proxy = `http://127.0.0.1:${port}`;
  const env = { HTTPS_PROXY: proxy, https_proxy: proxy, SSL_CERT_FILE: caFile };
  return { granary, proxy, caFile, env, one, two, locked };
}

async function startRegistry(
  cleanup: AsyncDisposableStack,
  seed: number,
  login?: string,
): Promise<LabRegistry> {
  const storage = await scratchDirectory(cleanup, "storage");
  await using filling = new AsyncDisposableStack();
  const open = await runDockerRegistry(filling, storage);
  const image = await pushSmallImage(open.url, "app", "1", seed);
  await filling.disposeAsync();
  return { ...(await runDockerRegistry(cleanup, storage, login)), image };
}

async function passwordFile(cleanup: AsyncDisposableStack): Promise<string> {
  const path = join(await scratchDirectory(cleanup, "password"), "password");
  await writeFile(path, LOGIN.password, { mode: 0o600 });
  return path;
}

/** What runs a program that alone finds `names`, all on loopback. */
export async function withNames(cleanup: AsyncDisposableStack, names: readonly string[]): Promise<string[]> {
  const hosts = join(await scratchDirectory(cleanup, "hosts"), "hosts");
  await writeFile(hosts, `127.0.0.1 localhost ${names.join(" ")}\n`);
  return withMounted(hosts, "/etc/hosts");
}

/** What runs a program that alone sees `source` at `target`, which has to be there. It is the same process in the end. */
export function withMounted(source: string, target: string): string[] {
  return ["unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$1" && shift && exec "$@"', source, target];
}
