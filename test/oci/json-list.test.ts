/** Shows that a list is found in a document while its bytes arrive, by the same rules as a parser's, and that no document is too hostile. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonListReader } from "../../src/oci/json-list.ts";

const bounds = { depth: 64, items: 1_000_000 };

/** What is found in `text`, given in pieces of `piece` bytes: the items as texts, and the fault if there is one. */
function read(text: string | Uint8Array, piece = 7) {
  const bytes = Buffer.from(text);
  let items: string[] = [];
  const onItem = (start: number, end: number) => void items.push(bytes.toString("utf8", start, end));
  const reader = new JsonListReader({ list: "tags", beside: "name", bounds, onItem });
  for (let at = 0; at < bytes.length; at += piece) if (!reader.push(bytes.subarray(at, at + piece))) break;
  const found = reader.end();
  if ("fault" in found) return found;
  items = items.slice(items.length - found.count);
  const inside = found.inside && bytes.toString("utf8", found.inside.start, found.inside.end);
  return {
    items,
    inside,
    name: found.beside && bytes.toString("utf8", found.beside.start, found.beside.end),
  };
}

describe("a list in a document", () => {
  it("is found as it was written, wherever it stands and whatever stands around it", () => {
    const text =
      '{"x":{"tags":["no"]},"name":"a/b","tags":[ "a", {"b":[1e999,-0.5]} ,"\\"]"],"y":[[]],"z":null}';
    expect(read(text)).toEqual({
      items: ['"a"', '{"b":[1e999,-0.5]}', '"\\"]"'],
      inside: ' "a", {"b":[1e999,-0.5]} ,"\\"]"',
      name: '"a/b"',
    });
  });

  it("is the last of two, may be empty, null, behind a byte order mark, or called by escapes", () => {
    expect(read('{"tags":["a"],"tags":["b"]}')).toMatchObject({ items: ['"b"'] });
    expect(read('{"tags":["a"],"tags":null}')).toMatchObject({ items: [], inside: undefined });
    expect(read('{"tags":[]}')).toMatchObject({ items: [], inside: "" });
    expect(read('\ufeff{"t\\u0061gs":["a"]}\n')).toMatchObject({ items: ['"a"'] });
    expect(read(Buffer.from([...Buffer.from('{"tags":["'), 0xff, ...Buffer.from('"]}')]))).toMatchObject({
      inside: expect.any(String),
    });
  });

  it.each([
    "<html>",
    "",
    "[]",
    "{}",
    '{"tags":"a"}',
    '{"tags":{}}',
    '{"tags":["a"],"tags":1}',
    "null",
    '"tags"',
  ])("is not in %j", (text) => expect(read(text)).toHaveProperty("fault"));

  it("in a document that nests is refused without reading on", () => {
    expect(read("[".repeat(8_000_000), 65_536)).toMatchObject({ fault: "is not JSON at byte 0" });
    expect(read(`{"tags":${"[".repeat(8_000_000)}`, 65_536)).toMatchObject({
      fault: "nests deeper than 64 levels",
    });
    const reader = new JsonListReader({ list: "tags", bounds: { depth: 9, items: 2 } });
    expect(reader.push(Buffer.from('{"tags":[1,2,3'))).toBe(true);
    expect(reader.push(Buffer.from(",4,5]}"))).toBe(false);
    expect(reader.end()).toMatchObject({ fault: "has more than 2 tags" });
  });
});

describe("any document", () => {
  it("that a parser takes is read, with the parser's items", () => {
    fc.assert(
      fc.property(
        fc.array(fc.json()),
        fc.dictionary(fc.string(), fc.jsonValue()),
        fc.nat(9),
        (tags, more, piece) => {
          const items = tags.map((text) => text);
          const { tags: _, ...rest } = more;
          const text = `${JSON.stringify({ ...rest, a: 1 }).slice(0, -1)},"tags":[${items.join(" , ")}]}`;
          expect(read(text, piece + 1)).toMatchObject({ items });
        },
      ),
    );
  });

  it("that a parser refuses is refused", () => {
    const marks = fc.constantFrom(
      "{",
      "}",
      "[",
      "]",
      ",",
      ":",
      '"',
      "1",
      "-",
      "e",
      "null",
      '"tags"',
      " ",
      "\\",
      "\n",
      '"a"',
    );
    fc.assert(
      fc.property(fc.array(marks, { maxLength: 8 }), (parts) => {
        const text = `{"tags":[${parts.join("")}]}`;
        let isList = false;
        try {
          isList = Array.isArray(JSON.parse(text).tags);
        } catch {
          // Refused by the parser.
        }
        expect("fault" in read(text)).toBe(!isList);
      }),
      { numRuns: 2_000 },
    );
  });
});
