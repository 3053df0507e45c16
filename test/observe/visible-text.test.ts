import { expect, it } from "vitest";
import { legibleJson, visibleLine, visibleText } from "../../src/observe/visible-text.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about.
const COMMANDS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;
const EVERY = Array.from({ length: 0x2070 }, (_, code) => String.fromCharCode(code)).join("");

it("no character that a terminal obeys, or that turns text around, is left, and all others are", () => {
  expect(visibleText("\u001b[31mred\u0007 \u009b2J \u202egnp.exe\r")).toBe(
    "\\u001b[31mred\\u0007 \\u009b2J \\u202egnp.exe\\u000d",
  );
  expect(visibleText(EVERY)).not.toMatch(COMMANDS);
  expect(visibleText("grüße\t日本語 🚀\n")).toBe("grüße\t日本語 🚀\n");
  expect(visibleLine("a\nb\tc")).toBe("a\\nb\\tc");
});

it("JSON keeps its value when it is written so, and shows it when it is to be printed", () => {
  const value = { [EVERY]: [EVERY, "\\u001b", "\\\u001b", "a\\"] };
  expect(JSON.parse(visibleText(JSON.stringify(value)))).toEqual(value);
  const shown = JSON.parse(legibleJson(JSON.stringify(value))) as Record<string, string[]>;
  for (const text of [...Object.keys(shown), ...Object.values(shown).flat()])
    expect(text).not.toMatch(COMMANDS);
  expect(JSON.parse(legibleJson('{"a":"\\u001b[31m \\\\u001b \\\\\\u001b \\r"}'))).toEqual({
    a: "\\u001b[31m \\u001b \\\\u001b \\r",
  });
});
