/** Shows that the doctor finds what is wrong between Granary, its disk and its upstreams, each made on purpose, and that a sound one is well. */
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { runGranary } from "../support/run-granary.ts";
import { caPem, serverCert, serverKey } from "../support/throwaway-tls.ts";
import { diagnose, doctorWorld, wrongs } from "./doctor-world.ts";

test("a sound Granary with a client that uses it is well", { timeout: 120_000 }, async () => {
  const world = await doctorWorld();
  await world.serve();
  const file = await world.write("daemon.json", JSON.stringify({ "registry-mirrors": [world.url] }));
  const diagnosis = await world.diagnose("--client", "docker", "--file", file);
  expect(wrongs(diagnosis)).toEqual([]);
  expect(diagnosis).toMatchObject({ code: 0, well: true });
  const areas = diagnosis.findings.filter(({ level }) => level === "good").map(({ area }) => area);
  expect(areas).toEqual(
    expect.arrayContaining([
      "settings",
      "server",
      "storage",
      "upstream docker.io",
      "clock",
      `listener ${world.url}`,
      "docker",
    ]),
  );
  // No registry counts them: one is answered with a challenge.
  expect(new Set(world.fake.matching({ kind: "manifest" }).map(({ method }) => method))).toEqual(
    new Set(["HEAD"]),
  );
});

test("settings that cannot be used are told, and nothing else is guessed", async () => {
  const world = await doctorWorld({ listener: "prot: 1" });
  const diagnosis = await world.diagnose("--client", "docker", "--file", join(world.directory, "none"));
  expect(diagnosis.code).toBe(1);
  expect(wrongs(diagnosis)[0]).toMatch(/^settings: .*prot: no such key/);
});

test("a port that is closed, and that no Granary runs", async () => {
  const world = await doctorWorld();
  const found = wrongs(await world.diagnose("--client", "ollama")).join("\n");
  expect(found).toMatch(/listener http:\/\/127\.0\.0\.1:\d+: Nothing listens there .* Start granary serve/);
  expect(found).toMatch(/server: No Granary runs in /);
});

test("another program on the port", async () => {
  const world = await doctorWorld();
  const other = createServer((_, response) => response.end("hello")).listen(world.port, "127.0.0.1");
  onTestFinished(() => void other.close());
  expect(wrongs(await world.diagnose("--client", "ollama")).join("\n")).toMatch(
    /Another program answers there/,
  );
});

test("a listener that only asks for a login is of no use to Docker", { timeout: 120_000 }, async () => {
  const world = await doctorWorld({ listener: "login: { username: lab, passwordFile: /etc/hostname }" });
  await world.serve();
  const file = await world.write("daemon.json", JSON.stringify({ "registry-mirrors": [world.url] }));
  const diagnosis = await world.diagnose("--client", "docker", "--file", file);
  expect(wrongs(diagnosis).join("\n")).toMatch(
    /docker: The mirror .* asks for a login, and this client has none/,
  );
  const notes = diagnosis.findings.filter(({ level }) => level === "note").map(({ text }) => text);
  expect(notes.join("\n")).toMatch(/Every listener for docker\.io asks for a login/);
});

test("a clock that is off", async () => {
  for (const [aheadMs, words] of [
    [600_000, /clock: This machine's clock is \S+ behind/],
    [-7_200_000, /clock: This machine's clock is \S+ ahead of/],
  ] as const) {
    const world = await doctorWorld();
    const date = new Date(Date.now() + aheadMs).toUTCString();
    world.fake.faults.push({ match: /manifests/, times: 10, fault: { kind: "headers", headers: { date } } });
    expect(wrongs(await world.diagnose("--client", "ollama")).join("\n")).toMatch(words);
  }
});

test("an upstream that cannot be reached", async () => {
  const world = await doctorWorld({ upstream: () => 'endpoints: ["http://127.0.0.1:9"], internal: true' });
  expect(wrongs(await world.diagnose("--client", "ollama")).join("\n")).toMatch(
    /upstream docker\.io: .*127\.0\.0\.1:9.* Check the name server, the firewall and the proxy variables/,
  );
});

test("an upstream that is set offline is told, and is not asked by the doctor either", async () => {
  const world = await doctorWorld();
  await world.serve();
  const { code } = await runGranary(["offline", "on", "--config", world.config]);
  expect(code).toBe(0);
  const asked = world.fake.requests.length;
  const diagnosis = await world.diagnose();
  expect(world.fake.requests.length).toBe(asked);
  const notes = diagnosis.findings.filter(({ area }) => area === "upstream docker.io");
  expect(notes).toEqual([
    {
      area: "upstream docker.io",
      level: "note",
      text: expect.stringContaining("set offline"),
      todo: expect.stringContaining("granary offline off docker.io"),
    },
  ]);
});

test("a budget that is used up, by a refusal and by the last count", async () => {
  const limited = await doctorWorld();
  limited.fake.faults.push({
    match: /manifests/,
    times: 10,
    fault: { kind: "rate-limited", retryAfter: "3600" },
  });
  expect(wrongs(await limited.diagnose("--client", "ollama")).join("\n")).toMatch(
    /upstream docker\.io: It limits us, its budget is used up: .* give Granary a login/,
  );
  const spent = await doctorWorld();
  const headers = { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600" };
  spent.fake.faults.push({ match: /manifests/, times: 10, fault: { kind: "headers", headers } });
  expect(wrongs(await spent.diagnose("--client", "ollama")).join("\n")).toMatch(
    /Its budget is used up: 0 of 100 pulls are left/,
  );
});

test("a disk that bypasses everything", async () => {
  const world = await doctorWorld({ storage: "minFree: 900TiB" });
  await world.write("x", "");
  const { mkdir } = await import("node:fs/promises");
  await mkdir(join(world.directory, "data"));
  const config = join(world.directory, "other.yaml");
  await writeFile(
    config,
    `storage: { directory: ${world.directory}/data, minFree: 900TiB }\nlisteners: [{ port: ${world.port}, host: 127.0.0.1, upstream: docker.io }]\nupstreams: { docker.io: { endpoints: ["${world.fake.url}"], internal: true } }\n`,
  );
  expect(wrongs(await diagnose("--config", config, "--no-pull", "--client", "ollama")).join("\n")).toMatch(
    /disk: Next to nothing can be kept: .* Every blob bypasses the disk/,
  );
});

test("a token realm that is refused", async () => {
  const world = await doctorWorld({ upstream: (fake) => `endpoints: ["${fake.url}"], internal: true` });
  world.fake.settings.realm = "http://tokens.example.com/token";
  expect(wrongs(await world.diagnose("--client", "ollama")).join("\n")).toMatch(
    /upstream docker\.io: .*token server http:\/\/tokens\.example\.com.* name its host under realms/,
  );
});

test("a login that is refused", async () => {
  const world = await doctorWorld({
    upstream: (fake) =>
      `endpoints: ["${fake.url}"], internal: true, realms: [127.0.0.2], username: lab, passwordFile: /etc/hostname`,
  });
  world.fake.settings.users.lab = "another password";
  expect(wrongs(await world.diagnose("--client", "ollama")).join("\n")).toMatch(
    /upstream docker\.io: .* Correct the login of this upstream/,
  );
});

test("an authority that is missing, and the same upstream with it", async () => {
  const tls = { cert: serverCert, key: serverKey };
  const lacking = await doctorWorld({
    fake: { tls },
    upstream: (fake) => `endpoints: ["${fake.url}"], internal: true, realms: [127.0.0.2]`,
  });
  expect(wrongs(await lacking.diagnose("--client", "ollama")).join("\n")).toMatch(
    /signed by an authority that is not known here.*caFile/,
  );
  const file = join(lacking.directory, "ca.pem");
  await writeFile(file, caPem);
  const config = join(lacking.directory, "with-ca.yaml");
  await writeFile(
    config,
    `listeners: [{ port: ${lacking.port}, host: 127.0.0.1, upstream: docker.io }]\nstorage: { directory: ${lacking.directory}/data, minFree: 0 }\nupstreams: { docker.io: { endpoints: ["${lacking.fake.url}"], internal: true, realms: [127.0.0.2], caFile: ${file} } }\n`,
  );
  const found = wrongs(await diagnose("--config", config, "--no-pull", "--client", "ollama"));
  expect(found.filter((each) => each.startsWith("upstream"))).toEqual([]);
});

test("what it says is for people where nobody asks for JSON, and its options are checked", async () => {
  const { runMain } = await import("../support/run-main.ts");
  const world = await doctorWorld();
  const { code, out } = await runMain(["doctor", "-c", world.config, "--no-pull", "--client", "ollama"]);
  expect(code).toBe(1);
  expect(out).toMatch(/^ok {4}settings: /m);
  expect(out).toMatch(/^WRONG listener /m);
  expect(out).toMatch(/\d+ things are wrong\.\n$/);
  expect((await runMain(["doctor", "--file", "x"])).code).toBe(2);
  expect((await runMain(["doctor", "--client", "lxc"])).code).toBe(2);
  const unknown = await runMain(["doctor", "-c", world.config, "--no-pull", "--upstream", "nowhere.test"]);
  expect(unknown).toMatchObject({
    code: 2,
    err: expect.stringContaining('no upstream "nowhere.test"; known are'),
  });
});
