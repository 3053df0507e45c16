/** What can be told of a model without fetching its weights. */
import { describe, expect, test } from "vitest";
import { inspectModelFrom } from "../../../src/client/models/inspect-model.ts";
import { formatReference } from "../../../src/oci/reference.ts";
import { parseModelName } from "../../../src/ollama/model-name.ts";
import { addModel, modelOf } from "../../support/models.ts";
import { sourceOf } from "../../support/source-of.ts";
import { startFake } from "../../support/start-upstream.ts";

const NAME = parseModelName("llama3.2:3b");

describe("what can be told of a model", () => {
  test("is its config, its parts and its texts, without the weights", async () => {
    const fake = await startFake({ mode: "ollama" });
    const model = addModel(fake, NAME.repository, "3b", {
      config: '{"model_family":"llama","file_type":"Q4_0"}',
      layers: [modelOf(1, 5000), ["template", "{{ .Prompt }}"], ["system", "Be ürgent."], ["license", "MIT"]],
    });
    const found = await inspectModelFrom(sourceOf(fake), NAME);
    expect(found).toMatchObject({
      reference: formatReference(NAME),
      digest: model.digest,
      config: { model_family: "llama", file_type: "Q4_0" },
      texts: { template: "{{ .Prompt }}", system: "Be ürgent." },
    });
    expect(found.layers.map(({ role }) => role)).toEqual(["model", "template", "system", "license"]);
    expect(JSON.parse(JSON.stringify(found))).toEqual(found);
    expect(fake.bytesSentFor(model.layers[0] ?? "")).toBe(0);
    expect(fake.bytesSentFor(model.layers[3] ?? "")).toBe(0);
  });

  test("leaves out texts that are no texts any more, and a config that is no JSON", async () => {
    const fake = await startFake({ mode: "ollama" });
    addModel(fake, NAME.repository, "3b", {
      config: "none",
      layers: [["template", "x".repeat(2 ** 20 + 1)]],
    });
    const found = await inspectModelFrom(sourceOf(fake), NAME);
    expect([found.config, found.texts]).toEqual([undefined, {}]);
  });
});
