/** Shows which words of a stranger's error body are told on, and that none of them can steer a terminal, show a secret or be long. */
import { describe, expect, it } from "vitest";
import { joinWords, readErrorWords } from "../../src/oci/error-body.ts";

const words = (body: string, type = "application/json") => readErrorWords(Buffer.from(body), type);
const messages = (body: string, type?: string) => words(body, type).map(({ message }) => message);

describe("the words of an error body", () => {
  it.each([
    ["the specification's form", '{"errors":[{"code":"DENIED","message":"not you"}]}', ["not you"]],
    ["several", '{"errors":[{"message":"one."},{"message":"two"}]}', ["one.", "two"]],
    ["a code alone", '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}', ["MANIFEST_UNKNOWN"]],
    ["a detail alone", '{"errors":[{"detail":"because"}]}', ["because"]],
    [
      "a detail beside a message",
      '{"errors":[{"code":"UNKNOWN","message":"unknown error.","detail":"the bucket is gone"}]}',
      ["unknown error: the bucket is gone"],
    ],
    [
      "a detail for programs",
      '{"errors":[{"message":"no","detail":{"Tag":"7b"}},{"message":"nor","detail":[{"Action":"pull"}]}]}',
      ["no", "nor"],
    ],
    ["a detail that says the same", '{"errors":[{"message":"no such tag","detail":"tag"}]}', ["no such tag"]],
    [
      "a detail that is empty",
      '{"errors":[{"message":"a","detail":{}},{"message":"b","detail":[]}]}',
      ["a", "b"],
    ],
    [
      "a detail that is no words",
      '{"errors":[{"message":"a","detail":null},{"message":"b","detail":7}]}',
      ["a", "b"],
    ],
    ["texts", '{"errors":["one","two"]}', ["one", "two"]],
    ["Hugging Face's", '{"error":"sharded GGUF is not supported"}', ["sharded GGUF is not supported"]],
    ["Google's", '{"error":{"code":403,"message":"no quota"}}', ["no quota"]],
    [
      "OAuth2's",
      '{"error":"invalid_scope","error_description":"no such scope"}',
      ["invalid_scope: no such scope"],
    ],
    ["a message", '{"message":"Forbidden"}', ["Forbidden"]],
    ["a problem document", '{"title":"Gone","status":410,"detail":"removed in May"}', ["removed in May"]],
    ["a JSON text", '"no"', ["no"]],
    ["plain text", "Too Many Requests\n", ["Too Many Requests"]],
    [
      "S3's XML",
      "<?xml?><Error><Code>A</Code><Message>Request has expired</Message></Error>",
      ["Request has expired"],
    ],
    ["not UTF-8", Buffer.from([0x61, 0xff, 0x62]).toString("latin1"), ["aÿb"]],
  ])("are found in %s", (_form, body, expected) => {
    expect(messages(body)).toEqual(expected);
  });

  it.each([
    ["a page", "<html><body>Sign in</body></html>", "application/json"],
    ["what calls itself a page", "Sign in", "text/html; charset=utf-8"],
    ["JSON that was cut", '{"errors":[{"message":"onl', undefined],
    ["JSON without words", '{"errors":[null,7,{}],"other":1}', undefined],
    ["nothing", "  \n", undefined],
  ])("are none in %s", (_form, body, type) => {
    expect(words(body, type)).toEqual([]);
  });

  it("are plain: nothing steers a terminal or hides", () => {
    const body = "a\u001b[31mred\u001b[0m \u001b]0;title\u0007b\r\nc\u009b2Jd\u202ee\u200bf\u0000g";
    expect(messages(body, "text/plain")).toEqual(["a red b c d e f g"]);
    expect(messages(JSON.stringify({ error: body }))).toEqual(["a red b c d e f g"]);
  });

  it.each([
    ["see https://user:pw@cdn.test/x?X-Amz-Signature=abc&b=c for more", "see https://cdn.test/x for more"],
    ["Authorization: Bearer abcdefgH.ijkl was refused", "Authorization: Bearer … was refused"],
    ["got Basic dXNlcjpwYXNz", "got Basic …"],
    ["token eyJhbGciOi.eyJzdWIi.sig is old", "token … is old"],
    ["password=hunter2&user=a", "password=…&user=a"],
    ['{"errors":[{"message":"no","detail":"Bearer abcdefgH.ijkl"}]}', "no: Bearer …"],
    ["Basic access is all you have", "Basic access is all you have"],
    ["see https://www.docker.com/increase-rate-limit", "see https://www.docker.com/increase-rate-limit"],
  ])("show no secret: %s", (body, shown) => {
    expect(messages(body, "text/plain")).toEqual([shown]);
  });

  it("are bounded, in all and each", () => {
    const told = words(JSON.stringify({ errors: Array(100).fill({ message: "x".repeat(9_000) }) }));
    expect(told).toHaveLength(5);
    expect(told[0]?.message).toHaveLength(1_000);
    expect(joinWords([...told, { code: undefined, message: "y".repeat(999) }])).toHaveLength(1_000);
    expect(messages(`{"error":${"[".repeat(20_000)}`)).toEqual([]);
  });

  it("have the registry's code where that is one", () => {
    expect(
      words('{"errors":[{"code":"GATED_REPO","message":"a"},{"code":"bad code","message":"b"}]}'),
    ).toEqual([
      { code: "GATED_REPO", message: "a" },
      { code: undefined, message: "b" },
    ]);
  });
});
