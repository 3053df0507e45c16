/** Shows the command line as people meet it: help that teaches, one sentence per failure, exit codes, nothing half-started. */
import { readdir, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Ended, type GranaryChild, runGranary, startGranary } from "../support/run-granary.ts";
import { runMain } from "../support/run-main.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { caPem, clientCert, serverCert, serverKey } from "../support/throwaway-tls.ts";
import { ask, until } from "../support/wire.ts";

let directory: string;
let children: GranaryChild[];
beforeEach(async () => {
  directory = await tempDirectory();
  children = [];
});
afterEach(async () => {
  for (const { child, ended } of children) {
    child.kill("SIGKILL");
    await ended;
  }
});

/** A configuration with one listener on `port` (0: any), and `more` lines at its end. */
async function configure(port: number, more = ""): Promise<string> {
  const file = join(directory, "granary.yaml");
  const listeners = `listeners:\n  - { port: ${port}, host: 127.0.0.1, upstream: docker.io }\n`;
  await writeFile(file, `${listeners}storage: { directory: ${directory}/data, minFree: 1MiB }\n${more}`);
  return file;
}

function expectOneSentence({ err }: Ended, ...parts: string[]): void {
  expect(err.trim().split("\n"), err).toHaveLength(1);
  expect(err).not.toMatch(/\n\s+at /);
  for (const part of parts) expect(err).toContain(part);
}

async function takePort(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  return { server, port: address !== null && typeof address === "object" ? address.port : 0 };
}

/** Starts a server on a free port and resolves when it listens. */
async function startServing(more?: string): Promise<GranaryChild & { readonly port: number }> {
  const granary = startGranary(["serve", "--config", await configure(0, more)]);
  children.push(granary);
  const listening = () => /listening on http:\/\/127\.0\.0\.1:(\d+)/.exec(granary.text());
  await Promise.race([until(() => listening() !== null), granary.ended]);
  const port = Number(listening()?.[1]);
  if (Number.isNaN(port)) throw new Error(`it did not start: ${granary.text()}`);
  return { ...granary, port };
}

describe("help", () => {
  test("teaches by example, and is no failure", async () => {
    const { code, out } = await runMain(["--help"]);
    expect(code).toBe(0);
    for (const part of ["granary serve --config", "registry-mirrors", "ollama pull", "health"])
      expect(out).toContain(part);
  });

  test("of a verb names its flags", async () => {
    const { code, out } = await runMain(["serve", "--help"]);
    expect(code).toBe(0);
    for (const part of ["--config", "--directory", "--log-level"]) expect(out).toContain(part);
  });

  test("the version is package.json's", async () => {
    const { code, out } = await runMain(["--version"]);
    expect([code, out]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)]);
  });

  test.each([[["sevre"]], [["serve", "--conifg", "x"]], [["serve", "extra"]]])(
    "%j is a mistake of use, exit code 2",
    async (args) => {
      const { code, err } = await runMain(args);
      expect(code).toBe(2);
      expect(err).toContain("--help");
      expect(err).not.toMatch(/\n\s+at /);
    },
  );

  test("read only in part by the next program in a pipe ends without a word", async () => {
    const { child, ended } = startGranary(["--help"]);
    child.stdout?.destroy();
    expect((await ended).err).toBe("");
  });
});

describe("a start that fails", () => {
  test("on a file that is not there says so, exit code 2", async () => {
    const ended = await runGranary(["serve", "--config", join(directory, "none.yaml")]);
    expect(ended.code).toBe(2);
    expectOneSentence(ended, "none.yaml");
  });

  test("on a bad key names its path and what is allowed, exit code 2, and leaves no directory", async () => {
    const ended = await runGranary([
      "serve",
      "--config",
      await configure(0, "upstreams: { docker.io: { lanse: 3 } }\n"),
    ]);
    expect(ended.code).toBe(2);
    expectOneSentence(ended, "upstreams.docker.io.lanse", "lanes");
    expect(await readdir(directory)).toEqual(["granary.yaml"]);
  });

  test("on an unset secret names key and variable, exit code 2", async () => {
    const upstream = `upstreams: { docker.io: { username: ann, password: "\${GRANARY_TEST_UNSET}" } }\n`;
    const ended = await runGranary(["serve", "--config", await configure(0, upstream)]);
    expect(ended.code).toBe(2);
    expectOneSentence(ended, "upstreams.docker.io.password", "GRANARY_TEST_UNSET");
  });

  test("on a port in use names the port, and can be started again at once", async () => {
    const { server, port } = await takePort();
    const ended = await runGranary(["serve", "--config", await configure(port)]);
    expect(ended.code).toBe(2);
    expectOneSentence(ended, String(port));
    await new Promise((resolve) => server.close(resolve));
    const again = await startServing();
    expect((await ask(again.port, "/readyz")).status).toBe(200);
  });

  test("on a directory that cannot be used names it, exit code 2", async () => {
    await writeFile(join(directory, "file"), "");
    const place = join(directory, "file", "data");
    const ended = await runGranary(["serve", "--config", await configure(0), "--directory", place]);
    expect(ended.code).toBe(2);
    expectOneSentence(ended, place);
  });

  test("on a directory that another Granary uses says so", async () => {
    await startServing();
    const ended = await runGranary(["serve", "--config", await configure(0)]);
    expect(ended.code).toBe(2);
    expectOneSentence(ended, join(directory, "data"));
  });
});

describe("serving", () => {
  test("answers, drains at SIGTERM, and ends with 0", async () => {
    const { child, ended, port } = await startServing();
    expect((await ask(port, "/v2/")).status).toBe(200);
    child.kill("SIGTERM");
    expect((await ended).code).toBe(0);
  });

  test("flags win over the file", async () => {
    const place = join(directory, "elsewhere");
    const granary = startGranary(["serve", "-c", await configure(0), "-d", place, "--log-level", "debug"]);
    children.push(granary);
    await until(() => granary.text().includes("listening on"));
    expect(await readdir(place)).toContain("blobs");
    expect(await readdir(directory)).not.toContain("data");
  });

  test("prints no secret of its configuration", async () => {
    const secret = "s3cret-of-the-test";
    const secretFile = join(directory, "password");
    await writeFile(secretFile, `${secret}\n`);
    const upstream = `upstreams: { docker.io: { username: ann, passwordFile: ${secretFile} } }\n`;
    const file = await configure(0, `${upstream}log: { level: trace }\n`);
    const granary = startGranary(["serve", "-c", file]);
    children.push(granary);
    await until(() => granary.text().includes("listening on"));
    granary.child.kill("SIGTERM");
    const { out, err } = await granary.ended;
    expect(out + err).not.toContain(secret);
  });
});

describe("health", () => {
  test("is 0 for a Granary that is ready, in words and as JSON", async () => {
    const { port } = await startServing();
    const url = `http://127.0.0.1:${port}`;
    expect(await runGranary(["health", "--url", url])).toMatchObject({
      code: 0,
      out: expect.stringContaining("ready"),
    });
    const { code, out } = await runGranary(["health", "--url", url, "--json"]);
    expect([code, JSON.parse(out)]).toEqual([0, { url, status: 200, ready: true }]);
  });

  test("finds the listener in the configuration: another port, a certificate of one's own, a login", async () => {
    await writeFile(join(directory, "tls.crt"), serverCert);
    await writeFile(join(directory, "tls.key"), serverKey);
    const { server, port } = await takePort();
    await new Promise((resolve) => server.close(resolve));
    const file = join(directory, "granary.yaml");
    const write = (host: string, certificate: string) =>
      writeFile(
        file,
        `listeners:
  - port: ${port}
    host: ${host}
    upstream: docker.io
    login: { username: ann, password: "\${GRANARY_TEST_PASSWORD}" }
    certFile: ${directory}/${certificate}
    keyFile: ${directory}/tls.key
storage: { directory: ${directory}/data, minFree: 1MiB }
`,
      );
    await write("0.0.0.0", "tls.crt");
    const serving = startGranary(["serve"], {
      env: { GRANARY_CONFIG: file, GRANARY_TEST_PASSWORD: "s3cret" },
    });
    children.push(serving);
    await until(() => serving.text().includes("listening on"));
    // The health check has none of the secrets.
    const byFlag = await runGranary(["health", "--config", file]);
    expect(byFlag).toMatchObject({ code: 0, out: `Granary at https://127.0.0.1:${port} is ready.\n` });
    const byEnv = await runGranary(["health", "--json"], { env: { GRANARY_CONFIG: file } });
    expect(JSON.parse(byEnv.out)).toMatchObject({ status: 200, ready: true });
    const caFile = join(directory, "ca.pem");
    await writeFile(caFile, caPem);
    const byUrl = ["health", "--url", `https://127.0.0.1:${port}`];
    expect((await runGranary([...byUrl, "--ca-file", caFile])).code).toBe(0);
    const unknown = await runGranary(byUrl);
    expect(unknown.code).toBe(1);
    expectOneSentence(unknown, "--ca-file");

    await writeFile(join(directory, "other.crt"), clientCert);
    await write("127.0.0.1", "other.crt");
    const stranger = await runGranary(["health", "--config", file]);
    expect(stranger.code).toBe(1);
    expectOneSentence(stranger, "another certificate", "SIGHUP");
  });

  test("is 2 and one sentence for a configuration or a URL that cannot be used", async () => {
    const none = await runGranary(["health", "--config", join(directory, "none.yaml")]);
    expect(none.code).toBe(2);
    expectOneSentence(none, "none.yaml");
    const anyPort = await runGranary(["health", "--config", await configure(0)]);
    expect(anyPort.code).toBe(2);
    expectOneSentence(anyPort, "--url");
    const noUrl = await runGranary(["health", "--url", "granary:5000"]);
    expect(noUrl.code).toBe(2);
    expectOneSentence(noUrl, "http://127.0.0.1:5000");
  });

  test("is 1 and one sentence where nothing answers", async () => {
    const { server, port } = await takePort();
    await new Promise((resolve) => server.close(resolve));
    const ended = await runGranary(["health", "--url", `http://127.0.0.1:${port}`]);
    expect(ended.code).toBe(1);
    expectOneSentence(ended, String(port));
  });
});

test("a Node that is too old is told which one is needed, without a stack trace", async () => {
  const pretend =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.11.1' } })";
  const nodeFlags = ["--import", `data:text/javascript,${encodeURIComponent(pretend)}`];
  const ended = await runGranary(["serve"], { nodeFlags, cwd: directory });
  expect(ended.code).toBe(1);
  expectOneSentence(ended, "22.19", "20.11.1");
  expect(await readdir(directory)).toEqual([]);
});
