/** Shows that the certificate to trust can be had from a script and by a person: from the directory, beside a server, and from a server elsewhere. */
import { execFile } from "node:child_process";
import { rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { lockDirectory } from "../../../src/store/lock-directory.ts";
import { runMain } from "../../support/run-main.ts";
import { caWorld, HOSTS } from "./ca-world.ts";

test("the certificate alone on standard output, and what it is on standard error", async () => {
  const { granary, certificate, caFile } = await caWorld();
  const { code, out, err } = await granary("show");
  expect([code, out]).toEqual([0, certificate]);
  const { stdout } = await promisify(execFile)("openssl", [
    "x509",
    "-in",
    caFile,
    "-noout",
    "-fingerprint",
    "-sha256",
  ]);
  expect(err).toContain(`SHA-256  ${stdout.trim().split("=")[1]}`);
  expect(err).toContain(HOSTS.join(" "));
  expect(err).toContain(caFile);
  expect((await granary("show", "--quiet")).err).toBe("");
});

test("as JSON for programs", async () => {
  const { granary, certificate, caFile } = await caWorld();
  const { out, err } = await granary("show", "--json");
  expect(err).toBe("");
  expect(JSON.parse(out)).toEqual({
    certificate,
    place: caFile,
    hosts: HOSTS,
    from: expect.any(Number),
    until: expect.any(Number),
    fingerprint: expect.stringMatching(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/),
  });
});

test("while somebody else holds the directory", async () => {
  const { granary, certificate, directory } = await caWorld();
  const release = await lockDirectory(directory);
  onTestFinished(release);
  expect((await granary("show")).out).toBe(certificate);
});

/** Answers `/ca.crt` as an admin face would, or as somebody else's server. */
async function serverWith(body: string): Promise<string> {
  const server = createServer((asked, answer) =>
    answer.writeHead(asked.url === "/ca.crt" ? 200 : 404).end(body),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("from a server elsewhere", async () => {
  const { certificate } = await caWorld();
  const url = await serverWith(certificate);
  const { out, err } = await runMain(["ca", "show", "--server", url]);
  expect(out).toBe(certificate);
  expect(err).toContain(url);
});

test("what a stranger's server answers is not taken for one", async () => {
  const { code, out, err } = await runMain([
    "ca",
    "show",
    "--server",
    await serverWith("<html>hello</html>"),
  ]);
  expect([code, out]).toEqual([1, ""]);
  expect(err).toContain("is no certificate that can be read");
});

test("where there is none, that is one sentence, and a damaged one another", async () => {
  const { granary, caFile } = await caWorld();
  await writeFile(caFile, "damaged");
  expect(await granary("show")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("no certificate that can be read"),
  });
  await rm(caFile);
  expect(await granary("show")).toMatchObject({
    code: 1,
    out: "",
    err: expect.stringContaining("No Granary runs in"),
  });
});
