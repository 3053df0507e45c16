/** Shows that a document which strangers wrote is looked at before it becomes values: none is too hostile to be refused at once. */
import { describe, expect, it } from "vitest";
import { excessOf, JSON_BOUNDS, parseJsonObject } from "../../src/oci/json-value.ts";
import { viewManifest } from "../../src/oci/manifest-view.ts";

const bounds = { bytes: 10_000_000, depth: 4, values: 1_000 };
const bytesOf = (text: string) => Buffer.from(text);

describe("a document that nests", () => {
  it.each(["[", '{"a":', '[{"a":['])("as deep as it is long (%s) is refused, and not parsed", (opening) => {
    const bytes = bytesOf(opening.repeat(1_000_000));
    expect(excessOf(bytes, JSON_BOUNDS.document)).toBe("nests deeper than 64 levels");
    expect(parseJsonObject(bytes)).toBeUndefined();
    expect(() => viewManifest(bytes, undefined)).toThrow("The manifest nests deeper than 64 levels.");
  });

  it("no deeper than the bound is taken, wide or not", () => {
    expect(excessOf(bytesOf('[[[["a"]]],[[["b"]]]]'), bounds)).toBeUndefined();
    expect(excessOf(bytesOf("[[[[[]]]]]"), bounds)).toBe("nests deeper than 4 levels");
  });

  it("only within its texts is as flat as it is, whatever escapes they have", () => {
    for (const text of ["[[[[[[", '\\"[[[[[[', "\\\\", '\\\\\\"{{{{{{'])
      expect(excessOf(bytesOf(`["${text}",[[["${text}"]]]]`), bounds)).toBeUndefined();
  });
});

describe("a document with more than anybody needs", () => {
  it.each(["1", "[]", '""', "{}"])("values (%s) is refused before they are made", (value) => {
    const bytes = bytesOf(`{"layers":[${`${value},`.repeat(500_000)}1]}`);
    expect(parseJsonObject(bytes)).toBeUndefined();
    expect(() => viewManifest(bytes, undefined)).toThrow("has more than 400000 values");
  });

  it("bytes is refused for its length alone", () => {
    expect(excessOf(Buffer.alloc(bounds.bytes + 1, 0x20), bounds)).toBe("has more than 10000000 bytes");
  });

  it("names forty thousand layers, and that is a document like any other", () => {
    const layer = '{"mediaType":"a","digest":"b","size":1}';
    expect(
      excessOf(bytesOf(`{"layers":[${Array(40_000).fill(layer).join(",")}]}`), JSON_BOUNDS.document),
    ).toBe(undefined);
  });
});

describe("a document with surprises", () => {
  it("is read by the one rule: the last of equal names, no prototype, no byte order mark, infinite numbers as no size", () => {
    const read = parseJsonObject(bytesOf('\ufeff{"a":1,"a":2,"__proto__":{"b":1},"size":1e999}'));
    expect(read?.a).toBe(2);
    expect(read?.b).toBeUndefined();
    expect({}).not.toHaveProperty("b");
    expect(read?.size).toBe(Number.POSITIVE_INFINITY);
  });

  it.each(['{"a":', "", "[]", '{"a"}', '{"a":1}}', "\0", '"'])(
    "is nothing where it is no object (%j)",
    (text) => {
      expect(parseJsonObject(bytesOf(text))).toBeUndefined();
    },
  );
});
