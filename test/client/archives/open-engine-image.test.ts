/**
 * Owns the tests of images in a Docker engine, against a server on a socket that says what an engine says; a real engine is
 * asked in test/e2e/engine-image.test.ts.
 */
import { mkdir, readdir } from "node:fs/promises";
import { createServer, type RequestListener } from "node:http";
import type { ListenOptions } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { engineAddress } from "../../../src/client/archives/docker-engine.ts";
import { openEngineImage } from "../../../src/client/archives/open-engine-image.ts";
import { imageFrom } from "../../../src/client/images/image.ts";
import { formatReference } from "../../../src/oci/reference.ts";
import { PROMPT_MS } from "../../support/patience.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { makeImage, saveEntries, tarOf } from "./make-archive.ts";

const AMD64 = { os: "linux", architecture: "amd64" };
const ID = `sha256:${"a".repeat(64)}`;

async function startEngine(answer: RequestListener, place?: ListenOptions) {
  const directory = await tempDirectory();
  const temporaryDirectory = join(directory, "temporary");
  await mkdir(temporaryDirectory);
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    answer(request, response);
  });
  const socket = join(directory, "docker.sock");
  await new Promise<void>((resolve) => server.listen(place ?? { path: socket }, resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return { socket, port, asked, temporaryDirectory };
}

async function savedTar() {
  const made = await makeImage(["none", "none"]);
  return { made, tar: await tarOf(saveEntries([[["app:v1"], made]])) };
}

const engineWith =
  (tar: Uint8Array): RequestListener =>
  (request, response) => {
    response.end(request.url?.endsWith("/json") === true ? "{}" : tar);
  };

describe("an image of a Docker engine", () => {
  it("is saved once, read as an archive, and its file has no name", async () => {
    const { made, tar } = await savedTar();
    const { socket, asked, temporaryDirectory } = await startEngine(engineWith(tar));
    const { source, reference } = await openEngineImage("app:v1", { socket, temporaryDirectory });
    expect(await readdir(temporaryDirectory)).toEqual([]);
    const image = await imageFrom(source, reference, { platform: AMD64 });
    expect(Buffer.from(image.configBytes)).toEqual(made.config);
    expect(formatReference(reference)).toMatch(/^docker\.io\/library\/app:v1@sha256:/);
    const name = "docker.io/library/app:v1";
    expect(asked).toEqual([`/images/${name}/json`, `/images/${name}/get`]);
    await source.close();
  });

  it("is asked for with a tag, because a bare repository means all of its tags, or by ID", async () => {
    const { tar } = await savedTar();
    const { socket, asked } = await startEngine(engineWith(tar));
    for (const name of ["ghcr.io/org/app", ID, "0123456789ab"]) {
      const { source } = await openEngineImage(name, { socket });
      await source.close();
    }
    const saved = asked.filter((path) => path.endsWith("/get"));
    expect(saved).toEqual(
      ["ghcr.io/org/app:latest", ID, "0123456789ab"].map((name) => `/images/${name}/get`),
    );
  });

  it("is found by DOCKER_HOST, and over plain TCP", async () => {
    const { tar } = await savedTar();
    const { socket } = await startEngine(engineWith(tar));
    const { port } = await startEngine(engineWith(tar), { port: 0, host: "127.0.0.1" });
    for (const DOCKER_HOST of [`unix://${socket}`, `tcp://127.0.0.1:${port}`]) {
      const { source } = await openEngineImage("app:v1", { environment: { DOCKER_HOST } });
      await source.close();
    }
  });

  it("that the engine does not have is not-found", async () => {
    const { socket } = await startEngine((_, response) => {
      response.writeHead(404).end('{"message":"No such image: x:latest"}');
    });
    await expect(openEngineImage("x", { socket })).rejects.toMatchObject({
      code: "not-found",
      message: expect.stringMatching(/has no image docker\.io\/library\/x:latest: "docker images"/),
    });
  });

  it("fails with what the engine says", async () => {
    const { socket } = await startEngine((_, response) => {
      response.writeHead(500).end('{"message":"disk on fire\\nstack"}');
    });
    await expect(openEngineImage("x", { socket })).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringMatching(/answered 500 for .*: disk on fire$/),
    });
  });

  it.each([
    [
      "what it says beside that there is no such image",
      404,
      "page not found",
      /lists what it has\. It says: page not found\.$/,
    ],
    [
      "its words, which cannot steer a terminal",
      500,
      '{"message":"\\u001b[2Jno\\u202espace"}',
      /: no space$/,
    ],
    [
      "its status, where a page in front of it answers",
      502,
      "<html>Bad Gateway</html>",
      /answered 502 for docker\.io\/library\/x:latest$/,
    ],
    ["its status, where it says nothing", 500, "", /answered 500 for docker\.io\/library\/x:latest$/],
  ])("fails with %s", async (_, status, body, message) => {
    const { socket } = await startEngine((__, response) => {
      response.writeHead(status).end(body);
    });
    await expect(openEngineImage("x", { socket })).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
  });

  it("fails when the engine breaks off, or sends no archive", async () => {
    const { tar } = await savedTar();
    const broken = await startEngine((request, response) => {
      if (request.url?.endsWith("/json") === true) response.end("{}");
      else response.write(tar.subarray(0, 3000), () => response.destroy());
    });
    await expect(openEngineImage("app:v1", { socket: broken.socket })).rejects.toMatchObject({
      code: "upstream-unavailable",
    });
    const ended = await startEngine(engineWith(tar.subarray(0, 3000)));
    await expect(openEngineImage("app:v1", { socket: ended.socket })).rejects.toMatchObject({
      code: "manifest-invalid",
    });
  });

  it.each([
    ["says nothing", false],
    ["stops in the middle", true],
  ])("is given up at once when the engine %s", async (_, begins) => {
    const leaving = new AbortController();
    const { socket, temporaryDirectory } = await startEngine((request, response) => {
      if (begins && request.url?.endsWith("/json") === true) return response.end("{}");
      if (begins) response.write(Buffer.alloc(700));
      return setImmediate(() => leaving.abort());
    });
    const options = { socket, temporaryDirectory, signal: leaving.signal };
    const before = performance.now();
    await expect(openEngineImage("app:v1", options)).rejects.toMatchObject({ code: "aborted" });
    expect(performance.now() - before).toBeLessThan(PROMPT_MS);
    expect(await readdir(temporaryDirectory)).toEqual([]);
  });

  it("says what to do when no engine answers", async () => {
    const socket = join(await tempDirectory(), "docker.sock");
    await expect(openEngineImage("x", { socket })).rejects.toMatchObject({
      code: "upstream-unavailable",
      message: expect.stringMatching(/start it, or say where it listens with DOCKER_HOST/),
    });
  });

  it("has a name that is one, before any engine is asked", async () => {
    await expect(openEngineImage("UPPER/../x", { socket: "/nowhere" })).rejects.toMatchObject({
      code: "reference-invalid",
    });
  });
});

describe("the engine's address", () => {
  it.each([
    [undefined, {}, { socketPath: "/var/run/docker.sock" }],
    [undefined, { DOCKER_HOST: "" }, { socketPath: "/var/run/docker.sock" }],
    [undefined, { DOCKER_HOST: "unix:///run/x.sock" }, { socketPath: "/run/x.sock" }],
    ["/run/y.sock", { DOCKER_HOST: "unix:///run/x.sock" }, { socketPath: "/run/y.sock" }],
    ["tcp://127.0.0.1", {}, { host: "127.0.0.1", port: 2375 }],
    ["tcp://[::1]:80", {}, { host: "::1", port: 80 }],
  ])("of %s with %j is read", (text, environment, address) => {
    expect(engineAddress(text, environment)).toEqual(address);
  });

  it.each([
    ["ssh://host", {}],
    ["npipe:////./pipe/docker_engine", {}],
    ["docker.sock", {}],
    ["tcp://", {}],
    ["tcp://host:2376", { DOCKER_TLS_VERIFY: "1" }],
  ])("of %s with %j is refused with what to do", (text, environment) => {
    expect(() => engineAddress(text, environment)).toThrow(/Name its socket, .* or save the image/);
  });
});
