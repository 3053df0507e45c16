/** Shows the grammar of model names. */
import { expect, test } from "vitest";
import { parseModelName } from "./model-name.ts";

test("Model names have host, namespace, model and tag, with defaults", () => {
  expect(parseModelName("llama3.2")).toEqual({
    host: "registry.ollama.ai",
    namespace: "library",
    model: "llama3.2",
    tag: "latest",
  });
  expect(parseModelName("127.0.0.1:9/ns/m:q4")).toEqual({
    host: "127.0.0.1:9",
    namespace: "ns",
    model: "m",
    tag: "q4",
  });
  expect(() => parseModelName("a/b/c/d")).toThrow("not a model name");
});
