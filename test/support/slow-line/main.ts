/**
 * Owns the slow line as a program, for trying things by hand: `node test/support/slow-line/main.ts --rate 4MB 127.0.0.1:5001`
 * prints the address of a front for each target, and obeys the words `away`, `silent`, `back`, `cut` and `account` on
 * standard input. It ends with Ctrl-C.
 */
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { parseBytes } from "../../../src/bytes/units.ts";
import { SlowLine } from "../slow-line.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rate: { type: "string" },
    "rate-per-connection": { type: "string" },
    delay: { type: "string", default: "0" },
    "cut-after": { type: "string" },
    "stall-after": { type: "string" },
    connections: { type: "string" },
    wait: { type: "boolean", default: false },
  },
});
const sizeOf = (text: string | undefined) => (text === undefined ? undefined : parseBytes(text));
const endOf = (text: string | undefined) => (text === undefined ? undefined : { after: parseBytes(text) });
const line = new SlowLine({
  rate: sizeOf(values.rate),
  ratePerConnection: sizeOf(values["rate-per-connection"]),
  delayMs: Number(values.delay),
  cut: endOf(values["cut-after"]),
  stall: endOf(values["stall-after"]),
  limit:
    values.connections === undefined
      ? undefined
      : { connections: Number(values.connections), beyond: values.wait ? "wait" : "refuse" },
});
for (const target of positionals) {
  const [host = "127.0.0.1", port] = target.split(":");
  const front = await line.front({ host, port: Number(port) });
  process.stdout.write(`${front.host}:${front.port} -> ${target}\n`);
}

const WORDS: Readonly<Record<string, () => unknown>> = {
  away: () => line.away(),
  silent: () => line.away("silent"),
  back: () => line.back(),
  cut: () => line.cutAll(),
  account: () => process.stdout.write(`${JSON.stringify({ ...line.account, now: line.connections })}\n`),
};
for await (const word of createInterface({ input: process.stdin })) {
  const obey = WORDS[word.trim()];
  if (obey === undefined) process.stderr.write(`There is ${Object.keys(WORDS).join(", ")}.\n`);
  else await obey();
}
