/** Shows the careful reading of JSON that strangers wrote. */
import { describe, expect, it } from "vitest";
import { asObject, objects, parseJsonObject, sizeOf, textOf } from "../../src/oci/json-value.ts";

describe("a document", () => {
  it.each([
    ['{"a":1}', { a: 1 }],
    ['\uFEFF{"a":1}', { a: 1 }],
    ["[]", undefined],
    ["null", undefined],
    ["7", undefined],
    ["", undefined],
    ['{"a":1', undefined],
  ])("of %j is %j", (text, expected) => {
    expect(parseJsonObject(Buffer.from(text))).toEqual(expected);
  });

  it("may have bytes that are not UTF-8 in a text, and one in UTF-16 is not guessed at", () => {
    expect(parseJsonObject(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]))).toEqual({ "\ufffd": 1 });
    expect(parseJsonObject(Buffer.from('{"a":1}', "utf16le"))).toBeUndefined();
  });

  it("nested deeper than anyone means is none, not a crash", () => {
    expect(parseJsonObject(Buffer.from("[".repeat(200_000) + "]".repeat(200_000)))).toBeUndefined();
  });
});

describe("a value", () => {
  it("is an object only when it is one", () => {
    for (const value of [null, undefined, [], "x", 1, true]) expect(asObject(value)).toBeUndefined();
    expect(asObject({})).toEqual({});
    expect(objects([{ a: 1 }, null, [], "x", { b: 2 }])).toEqual([{ a: 1 }, { b: 2 }]);
    for (const value of [null, {}, "x"]) expect(objects(value)).toEqual([]);
  });

  it("is a text only when there is something in it", () => {
    for (const value of ["", 1, null, undefined, []]) expect(textOf(value)).toBeUndefined();
    expect(textOf("x")).toBe("x");
  });

  it("is a size only when it is a whole number that a double holds exactly", () => {
    for (const value of [-1, 0.5, 2 ** 53, "1", null, Number.NaN]) expect(sizeOf(value)).toBeUndefined();
    for (const value of [0, 2 ** 31 + 1, 2 ** 32 + 1, 2 ** 53 - 1]) expect(sizeOf(value)).toBe(value);
  });
});
