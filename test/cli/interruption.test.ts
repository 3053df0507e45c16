/** Shows what signals do while a verb works, in a process that would never end by itself. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { PROMPT_MS } from "../support/patience.ts";
import { until } from "../support/wire.ts";
import { verbWorld } from "./verb-world.ts";

const CATCHES = fileURLToPath(new URL("../../src/cli/interruption.ts", import.meta.url));
/** Work that does not listen to its signal. */
const DEAF = `
  import { catchSignals } from ${JSON.stringify(CATCHES)};
  const { signal } = catchSignals();
  signal.addEventListener("abort", () => console.log("aborted"));
  setInterval(() => undefined, 1000);
  console.log("ready");`;

test.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("the first %s asks, the second ends the process at once with %i", async (name, code) => {
  const child = spawn(process.execPath, ["--input-type=module", "-e", DEAF]);
  onTestFinished(() => void child.kill("SIGKILL"));
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
  });
  const ended = new Promise((resolve) => child.once("close", resolve));
  await until(() => text.includes("ready"));
  child.kill(name);
  await until(() => text.includes("aborted"));
  expect(child.exitCode).toBeNull();
  child.kill(name);
  expect(await ended).toBe(code);
});

test.each([
  ["image", "digest", "/org/app:1"],
  ["model", "manifest", "/org/app:1"],
])("one Ctrl-C ends `%s %s` at once, though nothing answers", async (noun, verb, name) => {
  const { fake, start } = await verbWorld();
  fake.fail(/./, { kind: "hang" }, { times: 99 });
  const { child, ended } = start([noun, verb, `${fake.host}${name}`]);
  await until(() => fake.requests.length > 0);
  const before = performance.now();
  child.kill("SIGINT");
  const asked = `asking for the ${verb} of ${fake.host}${name}`;
  expect(await ended).toEqual({ code: 130, out: "", err: `granary: Stopped ${asked}.\n` });
  expect(performance.now() - before).toBeLessThan(PROMPT_MS);
});
