/** Shows the admin face of a real `granary serve`: where it listens, the link of its first start, and what it does where it cannot listen. */
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runGranary, startGranary } from "../../support/run-granary.ts";
import { runMain } from "../../support/run-main.ts";
import { type Serving, startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";
import { ask } from "../../support/wire.ts";

async function start(admin: string, at?: string) {
  const fake = await startFake({ mode: "plain" });
  const directory = at ?? join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory, more: [`admin: ${admin}`] });
  return { directory, serving };
}

/** The line of the log that says where the admin face is. */
async function portOf({ lines }: Serving): Promise<number> {
  const found = () => /the admin face is at http:\/\/[^"]*:(\d+)"/.exec(lines().join("\n"));
  await expect.poll(found).not.toBeNull();
  return Number(found()?.[1]);
}

test("on loopback whoever is on the machine may ask, a command too", async () => {
  const { serving } = await start("{ port: 0 }");
  const port = await portOf(serving);
  expect((await ask(port, "/api/v1/status")).status).toBe(200);
  const named = await runMain(["status", "--server", `http://127.0.0.1:${port}`]);
  expect([named.code, named.err]).toEqual([0, ""]);
  expect(serving.lines().join("\n")).not.toContain("token");
});

test("elsewhere the first start makes a token and shows it once, as a link that logs in", async () => {
  const { directory, serving } = await start("{ port: 0, host: 0.0.0.0 }");
  const port = await portOf(serving);
  const link = () => /http:\/\/127\.0\.0\.1:\d+(\/login\?token=([\w-]+))/.exec(serving.lines().join("\n"));
  await expect.poll(link).not.toBeNull();
  const [, path = "", token = ""] = link() ?? [];
  expect((await stat(join(directory, "admin-token"))).mode & 0o777).toBe(0o600);
  expect((await readFile(join(directory, "admin-token"), "utf8")).trim()).toBe(token);
  expect((await ask(port, "/api/v1/status")).status).toBe(401);
  const cookie = String((await ask(port, path)).headers["set-cookie"]).split(";")[0] ?? "";
  expect((await ask(port, "/api/v1/status", { headers: { cookie } })).status).toBe(200);

  const server = `http://127.0.0.1:${port}`;
  const without = await runMain(["status", "--server", server]);
  expect(without.code).toBe(4);
  expect(without.err).toContain("asks for its token");
  expect(
    await runMain(["status", "--server", server, "--token-file", join(directory, "admin-token")]),
  ).toMatchObject({ code: 0 });
  const place = { cwd: "/", env: { GRANARY_SERVER: server, GRANARY_TOKEN: token } };
  expect(await runMain(["status"], place)).toMatchObject({ code: 0 });
  const wrong = await runMain(["status"], { ...place, env: { ...place.env, GRANARY_TOKEN: "wrong" } });
  expect([wrong.code, wrong.err]).toEqual([4, "granary: This is not the token of this Granary.\n"]);
  await serving.kill("SIGTERM");

  const again = await start("{ port: 0, host: 0.0.0.0 }", directory);
  const nextPort = await portOf(again.serving);
  expect(
    (await ask(nextPort, "/api/v1/status", { headers: { authorization: `Bearer ${token}` } })).status,
  ).toBe(200);
  await expect.poll(() => again.serving.lines().join("\n")).toContain("made at its first start");
  expect(again.serving.lines().join("\n")).not.toContain(token);
});

test("a token file that is lost is made anew, and the old token is worth nothing", async () => {
  const first = await start("{ port: 0, host: 0.0.0.0 }");
  await portOf(first.serving);
  const path = join(first.directory, "admin-token");
  const token = (await readFile(path, "utf8")).trim();
  await first.serving.kill("SIGTERM");
  await rm(path);
  const { serving } = await start("{ port: 0, host: 0.0.0.0 }", first.directory);
  const port = await portOf(serving);
  await expect.poll(() => serving.lines().join("\n")).toContain("/login?token=");
  expect((await ask(port, "/api/v1/status", { headers: { authorization: `Bearer ${token}` } })).status).toBe(
    401,
  );
});

test("a place that somebody asked for and that is taken is one clear error, and nothing listens", async () => {
  const taken = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => taken.once("listening", resolve));
  const address = taken.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  const directory = join(await tempDirectory(), "data");
  const args = ["serve", "--port", "0,0", "--host", "127.0.0.1", "--directory", directory];
  const ended = await runGranary([...args, "--admin", String(port)], { env: { GRANARY_CONFIG: "" } });
  expect(ended.code).toBe(2);
  expect(ended.err).toContain(`Cannot listen on port ${port} of 127.0.0.1: another program listens there`);
  expect(ended.out + ended.err, "it never said that it listens").not.toContain("listening on");
  await new Promise((resolve) => taken.close(resolve));
});

test("as soon as the log says that clients are listened to, commands are answered too", async () => {
  const { url } = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const config = join(await tempDirectory(), "granary.yaml");
  const upstreams = `upstreams: { fake.test: { endpoints: ["${url}"], internal: true } }`;
  const listeners = "listeners: [{ port: 0, host: 127.0.0.1, upstream: fake.test }]";
  await writeFile(
    config,
    [listeners, upstreams, `storage: { directory: ${directory} }`, "admin: { port: 0 }"].join("\n"),
  );
  const granary = startGranary(["serve", "--config", config]);
  onTestFinished(() => void granary.child.kill("SIGKILL"));
  const answered = new Promise((resolve, reject) => {
    granary.child.stdout?.on("data", () => {
      if (!granary.text().includes("listening on")) return;
      const options = { socketPath: join(directory, "granary.sock"), path: "/api/v1/status", agent: false };
      get(options, (answer) => resolve(answer.resume().statusCode)).on("error", reject);
    });
  });
  expect(await Promise.race([answered, granary.ended])).toBe(200);
});

test("admin: off leaves the socket, for commands on this machine", async () => {
  const { directory, serving } = await start("off");
  expect(await runMain(["status", "--directory", directory])).toMatchObject({ code: 0 });
  expect(serving.lines().join("\n")).not.toContain("the admin face is at");
});
