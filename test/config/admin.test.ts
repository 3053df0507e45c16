/** Shows what the section `admin` of a configuration becomes, and what is wrong with one that cannot be used. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSettings } from "../../src/config/load.ts";
import { tempDirectory } from "../support/temp-directory.ts";

async function adminOf(text: string, env: Record<string, string> = {}) {
  const file = join(await tempDirectory(), "granary.yaml");
  await writeFile(file, text);
  return (await loadSettings(file, env)).admin;
}

const DEFAULT = { port: 5080, host: "127.0.0.1", view: "token", hosts: [], token: undefined };
const TOKEN = "0123456789abcdef";

test("it listens on loopback unless something else is said", async () => {
  expect(await adminOf("")).toEqual(DEFAULT);
  expect(await adminOf("admin: {}")).toEqual(DEFAULT);
  expect((await loadSettings(undefined, {})).admin).toEqual(DEFAULT);
  expect(await adminOf("admin: { port: 6000, host: 0.0.0.0, view: anyone, hosts: [Granary.Lab] }")).toEqual({
    ...DEFAULT,
    port: 6000,
    host: "0.0.0.0",
    view: "anyone",
    hosts: ["granary.lab"],
  });
});

test.each(["off", "false", "'off'"])("admin: %s switches it off", async (text) => {
  expect(await adminOf(`admin: ${text}`)).toBeUndefined();
  expect(await adminOf(`admin: ${text}`, { GRANARY_ADMIN: "0.0.0.0:5080" })).toBeUndefined();
});

test("$GRANARY_ADMIN says where it listens when the file does not", async () => {
  expect(await adminOf("", { GRANARY_ADMIN: "0.0.0.0:5080" })).toEqual({ ...DEFAULT, host: "0.0.0.0" });
  expect(await adminOf("", { GRANARY_ADMIN: "[::]:81" })).toEqual({ ...DEFAULT, host: "::", port: 81 });
  expect(await adminOf("", { GRANARY_ADMIN: "6000" })).toEqual({ ...DEFAULT, port: 6000 });
  expect(await adminOf("", { GRANARY_ADMIN: "" })).toEqual(DEFAULT);
  expect(await adminOf("", { GRANARY_ADMIN: "off" })).toBeUndefined();
  expect(await adminOf("admin: { host: 192.0.2.1 }", { GRANARY_ADMIN: "0.0.0.0:6000" })).toEqual({
    ...DEFAULT,
    host: "192.0.2.1",
    port: 6000,
  });
  expect(await adminOf("admin: {}", { GRANARY_ADMIN: "off" })).toEqual(DEFAULT);
});

test("a token comes from a variable or a file", async () => {
  const file = join(await tempDirectory(), "token");
  await writeFile(file, `${TOKEN}\n`);
  expect(await adminOf("admin: { token: '$" + "{T}' }", { T: TOKEN })).toEqual({ ...DEFAULT, token: TOKEN });
  expect(await adminOf(`admin: { tokenFile: ${file} }`)).toEqual({
    ...DEFAULT,
    token: TOKEN,
    tokenFile: file,
  });
});

test.each([
  [`admin: { token: ${TOKEN} }`, /admin\.token: a token is not written into this file.*tokenFile/],
  ["admin: { token: '$" + "{SHORT}' }", /admin\.token: a token has at least 16 characters/],
  ["admin: { token: '$" + "{SPACED}' }", /admin\.token: a token has no spaces/],
  ["admin: { token: '$" + "{LONG}', tokenFile: /nowhere }", /admin: give either token or tokenFile/],
  [
    "admin: { prot: 5080 }",
    /admin\.prot: no such key \(did you mean port\?\); allowed in admin are port, host, token/,
  ],
  ["admin: { port: 70000 }", /admin\.port: /],
  ["admin: { view: all }", /admin\.view: /],
  ["admin: { hosts: ['granary.lab:80'] }", /admin\.hosts\.0: expected the name of a host, without a port/],
  ["admin: 5080", /admin: expected off, or keys such as port and host/],
])("%s is refused with the key, and no secret is shown", async (text, sentence) => {
  const env = { SHORT: "hunter2", SPACED: "hunter2 hunter2 hunter2", LONG: "hunter2hunter2hunter2" };
  const complaint = await adminOf(text, env).catch((error: Error) => error.message);
  expect(complaint).toMatch(sentence);
  expect(complaint).not.toMatch(/hunter2|0123456789/);
});

test.each(["5080x", "70000", "1.2.3.4", ":80", "http://127.0.0.1:5080"])(
  "$GRANARY_ADMIN=%s is refused",
  async (text) => {
    await expect(adminOf("", { GRANARY_ADMIN: text })).rejects.toThrow(/\$GRANARY_ADMIN takes a port/);
  },
);
