/** Shows `granary events` and `granary traffic` of a whole fleet: whose each line is, which node is missing, and what is said where there is no fleet. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { fleetFace } from "../../support/fleet-face.ts";
import { runMain } from "../../support/run-main.ts";

const LAUNCHER = fileURLToPath(new URL("../../../src/cli/granary.js", import.meta.url));

async function world() {
  const face = await fleetFace();
  face.records.a.events.tell("evicted", "a blob went");
  face.records.b.events.tell("pull-ended", "docker pulled alpine:3", { client: "192.0.2.7" });
  face.records.b.traffic.fetched("docker.io", "library/alpine", 2_048);
  face.records.c.traffic.fetched("docker.io", "library/alpine", 1_024);
  const granary = (...args: readonly string[]) => runMain([...args, "--server", face.url]);
  return { ...face, granary };
}

test("events of the fleet say where each happened, those of one node too", async () => {
  const { granary } = await world();
  const { code, out, err } = await granary("events", "--fleet");
  expect([code, err]).toEqual([0, ""]);
  expect(out).toMatch(/^[\d:]+ {2}a {2}a blob went$/m);
  expect(out).toMatch(/^[\d:]+ {2}b {2}docker pulled alpine:3 \(192\.0\.2\.7\)$/m);
  expect((await granary("events", "--node", "b")).out).toMatch(/^[\d:]+ {2}b {2}docker pulled[^\n]*\n$/);
  expect((await granary("events")).out).toMatch(/^[\d:]+ {2}a blob went\n$/);
  const listed = JSON.parse((await granary("events", "--fleet", "--json")).out) as {
    items: { node: string }[];
  };
  expect(listed.items.map(({ node }) => node).sort()).toEqual(["a", "b"]);
  expect(listed).toMatchObject({ fleet: { node: "a", nodes: ["a", "b", "c"], missing: [] } });
});

test("traffic of the fleet says which nodes had a part in it, and can be listed by node", async () => {
  const { granary } = await world();
  const all = await granary("traffic", "--fleet", "--by", "repository");
  expect(all.out).toMatch(/ NODES +REPOSITORY\n/);
  expect(all.out).toMatch(/^ *0 B +3 KiB +-3 KiB +0 +0 +0 +b c +docker\.io\/library\/alpine$/m);
  expect(all.out).toMatch(/^Today: -3 KiB saved/m);
  const byNode = await granary("traffic", "--by", "node");
  expect(byNode.out).toMatch(/ MISSES +NODE\n/);
  for (const line of [/^ *0 B +0 B .* a$/m, /^ *0 B +2 KiB .* b$/m, /^ *0 B +1 KiB .* c$/m])
    expect(byNode.out).toMatch(line);
  expect((await granary("traffic", "--node", "c", "--by", "upstream")).out).toContain("1 KiB");
});

test("a node that does not answer is named on standard error, and the rest is there", async () => {
  const { granary, listeners } = await world();
  await listeners.b.close();
  for (const verb of ["events", "traffic"]) {
    const { code, out, err } = await granary(verb, "--fleet", "--json");
    expect(code).toBe(0);
    expect(err).toMatch(/^granary: missing: Node b of the fleet does not answer \(.*\)\.\n$/);
    expect(JSON.parse(out)).toMatchObject({ fleet: { missing: [{ node: "b" }] } });
  }
  expect(await granary("events", "--node", "x")).toMatchObject({ code: 3, out: "" });
});

test("--follow tells what happens at any node, and when a node goes missing", async () => {
  const { url, records, listeners } = await world();
  const args = [LAUNCHER, "events", "--fleet", "--follow", "--json", "--server", url];
  const following = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void following.kill("SIGKILL"));
  const texts: string[] = [];
  let errors = "";
  following.stderr.on("data", (text) => {
    errors += String(text);
  });
  createInterface({ input: following.stdout }).on("line", (line) => {
    const { node, text } = JSON.parse(line) as { node: string; text: string };
    texts.push(`${node}: ${text}`);
  });
  const past = ["a: a blob went", "b: docker pulled alpine:3"];
  await expect.poll(() => texts.toSorted()).toEqual(past);
  records.c.events.tell("job-begun", "something began");
  await expect.poll(() => texts.toSorted()).toEqual([...past, "c: something began"]);
  await listeners.b.close();
  await expect.poll(() => errors).toContain("missing: Node b of the fleet does not answer");
  records.c.events.tell("job-ended", "something ended");
  await expect.poll(() => texts.at(-1)).toBe("c: something ended");
  expect(texts).toHaveLength(4);
});

test("their help says what is asked of the other nodes", async () => {
  for (const verb of ["events", "traffic"])
    expect((await runMain([verb, "--help"])).out).toContain(
      "names on standard error those that did not answer",
    );
});
