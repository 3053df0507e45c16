/** Shows that a verb which meets another kind of thing names the command for that, with what was typed, and never sends in a circle. */
import { describe, expect, test } from "vitest";
import { adviceFor } from "../../src/cli/advice.ts";
import { type Asked, shellLine } from "../../src/cli/asked.ts";
import { GranaryError } from "../../src/errors.ts";
import { placeImage, placeIndex } from "../support/fake-images.ts";
import { addModel, modelOf } from "../support/models.ts";
import { verbWorld } from "./verb-world.ts";

async function setUp() {
  const world = await verbWorld();
  const { fake } = world;
  addModel(fake, "me/tiny", "q4", { layers: [modelOf(3, 1000), ["template", "x"]] });
  addModel(fake, "me/tensors", "1", { layers: [["tensor", "abc", "a.weight"]] });
  const own = placeImage(fake, "org/app", "own", { platform: "linux/amd64", layers: [Buffer.from("x")] });
  placeIndex(fake, "org/app", "1", [{ ...own, platform: "linux/amd64" }]);
  const layer = { bytes: Buffer.from("y"), mediaType: "application/octet-stream" };
  placeImage(fake, "org/notes", "1", {
    config: Buffer.from("{}"),
    configType: "application/vnd.oci.empty.v1+json",
    layers: [layer],
  });
  return world;
}

describe("a verb that meets another kind of thing", () => {
  test.each([
    ["image extract HOST/me/tiny:q4 rootfs", "model fetch HOST/me/tiny:q4 rootfs --all"],
    ["image extract HOST/org/notes:1 rootfs", "artifact pull HOST/org/notes:1 rootfs"],
    ["artifact pull HOST/me/tiny:q4 dir", "model fetch HOST/me/tiny:q4 dir --all"],
    ["artifact pull HOST/org/app:own dir", "image extract HOST/org/app:own dir"],
    ["model fetch HOST/org/app:1 app.gguf", "image extract HOST/org/app:1 DIRECTORY"],
    ["model fetch HOST/org/app:own app --all --insecure", undefined],
    [
      "model fetch HOST/me/tensors:1 t.gguf --insecure",
      "model fetch HOST/me/tensors:1 DIRECTORY --all --insecure",
    ],
    ["model inspect HOST/org/app:1", "image inspect HOST/org/app:1"],
    ["model digest HOST/org/app:1", "image digest HOST/org/app:1"],
    ["artifact pull HOST/org/notes:1 dir", undefined],
  ])("%s: %s", async (line, advised) => {
    const { fake, run } = await setUp();
    const args = line.replace("HOST", fake.host).split(" ");
    const { code, err } = await run(args);
    if (advised === undefined) return expect(err).not.toContain("`granary ");
    expect(code).toBe(1);
    expect(err).toContain(`: \`granary ${advised.replace("HOST", fake.host)}\`.\n`);
  });

  test("what is advised works", async () => {
    const { fake, run } = await setUp();
    const { err } = await run(["image", "extract", `${fake.host}/me/tiny:q4`, "it"]);
    const [, advised = ""] = /`granary (.*)`/.exec(err) ?? [];
    expect((await run(advised.split(" "))).code).toBe(0);
  });
});

test.each([
  ["image", "extract", "gemma:2b", "model fetch gemma:2b DIRECTORY --all", "a model of registry.ollama.ai"],
  ["image", "size", "me/gemma", "model inspect me/gemma", "a model of registry.ollama.ai"],
  ["model", "fetch", "alpine", "image extract alpine DIRECTORY", "a container image of docker.io"],
])("%s %s %s is not there: perhaps it is in the other registry", async (noun, verb, name, advised, what) => {
  const { fake, run } = await verbWorld();
  const { code, err } = await run([
    noun,
    verb,
    name,
    ...(verb === "fetch" ? ["f"] : verb === "extract" ? ["DIRECTORY"] : []),
    "--via",
    fake.url,
  ]);
  expect(code).toBe(3);
  expect(err).toContain(` If ${what} is meant: \`granary ${advised} --via ${fake.url}\`.\n`);
});

const ASKED: Asked = { verb: "image size", args: ["a"], flags: {}, way: [], again: "" };
const refused = new GranaryError("denied", "x answered 403.", { host: "x", upstreamStatus: 403 });
const limited = new GranaryError("rate-limited", "x answered 429.", {});
const damaged = new GranaryError("digest-mismatch", "x.", {});

test.each([
  [refused, {}, /Log in with --username/],
  [refused, { username: "ann" }, /^Check the password, and that ann may pull this$/],
  [limited, {}, /or with a login/],
  [limited, { username: "ann" }, /^try again later$/],
  [damaged, {}, /elsewhere with --via$/],
  [damaged, { via: "http://g" }, /without --via$/],
])("advice that was followed already is not given: %s %j", (error, flags, expected) => {
  expect(adviceFor(error, { ...ASKED, flags })).toMatch(expected);
});

test.each([
  [["granary", "image", "size", "alpine:3.22"], "granary image size alpine:3.22"],
  [["granary", "it's", "a b", "$HOME"], "granary 'it'\\''s' 'a b' '$HOME'"],
  [["granary", "--via", "https://ann:secret@granary:5000/x"], "granary --via https://granary:5000/x"],
  [["granary", "--via=https://ann:secret@granary:5000"], "granary --via=https://granary:5000"],
  [["granary", "a@sha256:00", "dir/a@b"], "granary a@sha256:00 dir/a@b"],
])("a command line for a shell: %j", (words, line) => {
  expect(shellLine(words)).toBe(line);
});
