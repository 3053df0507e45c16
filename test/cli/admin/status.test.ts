/** Shows `granary status`: what it says of a running server, how it finds that, and what it says where there is none. */
import { writeFile } from "node:fs/promises";
import { createServer, request } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../support/free-ports.ts";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { caPem, serverCert, serverKey } from "../../support/throwaway-tls.ts";

test("it tells of a running server on one screen, found by its storage directory", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory });
  const { code, out, err } = await runMain(["status", "--directory", directory]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain(directory);
  expect(out).toMatch(/^Upstreams +all 12 in order$/m);
  expect(out).toMatch(/^Transfers +none$/m);
  expect(out).toMatch(/^Trouble +none$/m);
  const json = await runMain(["status", "--directory", directory, "--json"]);
  expect(JSON.parse(json.out)).toMatchObject({ blobs: 0, fills: [], troubles: [] });
  const config = join(await tempDirectory(), "granary.yaml");
  await writeFile(config, `storage: { directory: ${directory} }\n`);
  expect(await runMain(["status", "--config", config])).toMatchObject({ code: 0 });
  await serving.kill("SIGTERM");

  const gone = await runMain(["status", "--directory", directory]);
  expect([gone.code, gone.out]).toEqual([1, ""]);
  expect(gone.err).toContain(`No Granary runs in ${directory}`);
});

const closed = { cwd: "/", env: { GRANARY_SERVER: "http://127.0.0.1:1", GRANARY_TOKEN: "" } };

test("a server that is named is asked, and one that does not answer is said so", async () => {
  const { code, err } = await runMain(["status"], closed);
  expect(code).toBe(1);
  expect(err).toContain("http://127.0.0.1:1 gives no answer");
  const typed = await runMain(["status", "--server", "http://127.0.0.1:2"], closed);
  expect(typed.err).toContain("http://127.0.0.1:2 gives no answer");
});

test.each([
  [["--server", "127.0.0.1:5080"], "--server takes the URL"],
  [["--server", "http://me:secret@127.0.0.1:5080"], "--server takes the URL"],
  [["--server", "http://127.0.0.1:2", "--directory", "."], "either --server or --directory"],
  [["--token-file", "/etc/hostname", "--directory", "."], "--token-file goes with --server"],
])("%j is refused, and no secret is shown", async (args, sentence) => {
  const { code, err } = await runMain(["status", ...args]);
  expect(code).toBe(2);
  expect(err).toContain(sentence);
  expect(err).not.toContain("secret");
});

test("where nobody says which Granary is meant and none runs in the directory, the usual address is asked, and told", async () => {
  const port = await freePort();
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory, more: [`admin: { port: ${port} }`] });
  const config = join(await tempDirectory(), "granary.yaml");
  const other = join(await tempDirectory(), "other");
  await writeFile(config, `storage: { directory: ${other} }\n`);
  const env = { GRANARY_ADMIN: `${port}`, GRANARY_CONFIG: config, GRANARY_SERVER: "", GRANARY_TOKEN: "" };
  const place = { cwd: "/", env };
  const told = `Asking the Granary at http://127.0.0.1:${port}: in ${other} none runs that can be asked.\n`;
  await expect.poll(async () => (await runMain(["status"], place)).code).toBe(0);
  const status = await runMain(["status"], place);
  expect([status.out, status.err]).toEqual([expect.stringContaining(`http://127.0.0.1:${port}`), told]);
  // A command that could open the directory: it is not there.
  expect(await runMain(["list", "--json"], place)).toMatchObject({ code: 0, err: told });
  const chosen = await runMain(["status", "--config", config], place);
  expect([chosen.code, chosen.err]).toEqual([
    1,
    expect.stringContaining(`No Granary runs in ${other}: start`),
  ]);
  await serving.kill("SIGTERM");
  const gone = await runMain(["status"], place);
  expect([gone.code, gone.err]).toEqual([1, expect.stringContaining("none answers at the usual address")]);
  // The directory is there now: that is what a command without a server works with.
  const there = { cwd: "/", env: { ...env, GRANARY_CONFIG: serving.config } };
  expect(await runMain(["list"], there)).toMatchObject({ code: 0, err: "Nothing is stored yet.\n" });
});

test("what answers at the usual address and is no Granary gets no token, and one that asks gets it", async () => {
  const shown: (string | undefined)[] = [];
  const stranger = createServer((request, answer) => {
    shown.push(request.headers.authorization);
    answer.writeHead(401).end("{}");
  });
  await new Promise<void>((resolve) => stranger.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void stranger.close());
  const address = stranger.address();
  const other = typeof address === "object" && address !== null ? address.port : 0;
  const config = join(await tempDirectory(), "granary.yaml");
  await writeFile(config, `storage: { directory: ${join(await tempDirectory(), "other")} }\n`);
  const token = "0123456789abcdef0123456789abcdef";
  const at = (port: number, given: string) => {
    const env = {
      GRANARY_ADMIN: `${port}`,
      GRANARY_CONFIG: config,
      GRANARY_SERVER: "",
      GRANARY_TOKEN: given,
    };
    return { cwd: "/", env };
  };
  expect((await runMain(["status"], at(other, token))).code).toBe(1);
  expect(shown).toEqual([undefined]);

  const port = await freePort();
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const file = join(await tempDirectory(), "token");
  await writeFile(file, `${token}\n`);
  await startServing({ fake, directory, more: [`admin: { port: ${port}, tokenFile: ${file} }`] });
  await expect.poll(async () => (await runMain(["status"], at(port, token))).code).toBe(0);
  expect(await runMain(["status", "--token-file", file], at(port, ""))).toMatchObject({ code: 0 });
  const without = await runMain(["status"], at(port, ""));
  expect([without.code, without.err]).toEqual([4, expect.stringContaining("asks for its token")]);
});

test("an https server of an own authority is asked with --ca-file, and without it that is what is missing", async () => {
  const fake = await startFake({ mode: "plain" });
  const port = await freePort();
  const directory = join(await tempDirectory(), "data");
  await startServing({ fake, directory, more: [`admin: { port: ${port} }`] });
  // The reverse proxy that speaks https for it.
  const proxy = createTlsServer({ cert: serverCert, key: serverKey }, (asked, answer) => {
    const { url: path, method, headers } = asked;
    const onward = request({ host: "127.0.0.1", port, path, method, headers }, (answered) => {
      answer.writeHead(answered.statusCode ?? 500, answered.headers);
      answered.pipe(answer);
    });
    onward.on("error", () => answer.destroy());
    asked.pipe(onward);
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  const address = proxy.address();
  const at = typeof address === "object" && address !== null ? address.port : 0;
  const server = ["--server", `https://127.0.0.1:${at}`];
  const ca = join(await tempDirectory(), "ca.pem");
  await writeFile(ca, caPem);
  await expect.poll(async () => (await runMain(["status", ...server, "--ca-file", ca])).code).toBe(0);
  const without = await runMain(["list", ...server]);
  expect([without.code, without.err]).toEqual([1, expect.stringContaining("--ca-file")]);

  const plain = await runMain(["status", "--server", `http://127.0.0.1:${port}`, "--ca-file", ca]);
  expect([plain.code, plain.err]).toEqual([2, expect.stringContaining("--ca-file goes with --server")]);
  const bad = await runMain(["status", ...server, "--ca-file", "/etc/hostname"]);
  expect([bad.code, bad.err]).toEqual([2, expect.stringContaining("holds no certificate in PEM form")]);
});
