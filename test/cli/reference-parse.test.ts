/** Shows `granary reference parse`: the canonical text alone, or every part as JSON, without asking anybody. */
import { expect, test } from "vitest";
import { runMain } from "../support/run-main.ts";

test.each([
  [["alpine"], "docker.io/library/alpine:latest"],
  [["oci://ghcr.io/org/app:1"], "ghcr.io/org/app:1"],
  [["gemma:2b", "--model"], "registry.ollama.ai/library/gemma:2b"],
  [["ollama://hf.co/Org/Model:Q4_K_M"], "hf.co/Org/Model:Q4_K_M"],
])("%j is told by its canonical text", async (args, text) => {
  expect(await runMain(["reference", "parse", ...args])).toEqual({ code: 0, out: `${text}\n`, err: "" });
});

test("the JSON has every part", async () => {
  const { out } = await runMain(["reference", "parse", "user/app:1", "--json"]);
  const parts = {
    registry: "docker.io",
    repository: "user/app",
    tag: "1",
    canonical: "docker.io/user/app:1",
  };
  expect(JSON.parse(out)).toEqual(parts);
});

test("a text that names nothing is 2, with the reason", async () => {
  const ended = await runMain(["reference", "parse", "Alpine"]);
  expect(ended).toMatchObject({ code: 2, out: "", err: expect.stringContaining("lower case") });
});
