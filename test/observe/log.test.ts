/** Shows what a line of the log looks like to whoever reads it or feeds it to a collector. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { Writable } from "node:stream";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createLog } from "../../src/observe/log.ts";

function collect() {
  const texts: string[] = [];
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      texts.push(chunk.toString());
      done();
    },
  });
  return { output, texts };
}

test("a JSON line tells its level as a word and its time as an ISO date", () => {
  const { output, texts } = collect();
  const log = createLog({ level: "debug", format: "json" }, output);
  for (const level of ["debug", "info", "warn", "error"] as const) log[level]({ port: 5000 }, "hello");
  log.child({}, { redact: [] }).info("a child speaks the same way");
  const lines = texts.map((text) => JSON.parse(text));
  expect(lines.map(({ level }) => level)).toEqual(["debug", "info", "warn", "error", "info"]);
  for (const { time } of lines) expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(lines[0]).toMatchObject({ port: 5000, msg: "hello" });
});

test.each([
  ["in their order when the process ends by itself", ""],
  // What a thread writes at that moment and what is written at the end may pass each other.
  ["in some order when the process is ended in the middle of its work", "process.exit(0);"],
])("all lines reach standard output, %s", async (_, end) => {
  const file = join(import.meta.dirname, "../../src/observe/log.ts");
  // Less than a pipe holds: what is under way to a full one is lost with the process.
  const program = `
    const { createLog } = await import(${JSON.stringify(file)});
    const log = createLog({ level: "info", format: "json" });
    for (let n = 0; n < 150; n++) log.info({ n, text: "\\u202e".repeat(20) }, "one of many");
    setImmediate(() => { log.info({ n: 150 }, "the last"); ${end} });`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", program]);
  const lines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  const numbers: number[] = lines.map(({ n }) => n);
  expect(end === "" ? numbers : numbers.toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 151 }, (_, index) => index),
  );
  expect(stdout).not.toContain("\u202e");
});

test("a pretty line shows both for people", () => {
  const { output, texts } = collect();
  createLog({ level: "info", format: "pretty" }, output).warn({ port: 5000 }, "hello");
  expect(texts.join("")).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: hello \{"port":5000\}\n$/);
});

test.each(["json", "pretty"] as const)(
  "a %s line shows no secret, and no character that a terminal obeys",
  (format) => {
    const { output, texts } = collect();
    const log = createLog({ level: "info", format }, output);
    log.info({ password: "S3CRET", login: { token: "S3CRET" }, file: "a\u001b[31m\u202eb" }, "hello");
    const text = texts.join("");
    expect(text).not.toContain("S3CRET");
    expect(text).not.toContain("\u001b");
    expect(text).not.toContain("\u202e");
    expect(text).toContain("\\u001b[31m\\u202eb");
  },
);
