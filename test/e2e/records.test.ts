/** Shows that `granary pulls` and `granary traffic` say what skopeo and Ollama's exact requests did, also after a restart and after a kill. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { type FakeRegistry, startFakeRegistry } from "../support/fake-registry.ts";
import { pullModel } from "../support/ollama-client.ts";
import { eventually } from "../support/patience.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { addModel, checkedPlace, type FakeModel, startOllamaUpstream } from "./support/ollama-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { skopeo } from "./support/skopeo-client.ts";

const HUB = "docker.io";
const OLLAMA = "registry.ollama.ai";
const MIB = 2 ** 20;

type Answer = { readonly items: readonly Record<string, unknown>[]; readonly all: Record<string, unknown> };

describeWith(["skopeo"], "the records of a Granary that skopeo and Ollama pulled through", () => {
  let cleanup: AsyncDisposableStack;
  let hub: FakeRegistry;
  let ollama: FakeRegistry;
  let granary: GranaryProcess;
  let model: FakeModel;

  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    hub = await startFakeRegistry({ mode: "plain" });
    cleanup.defer(() => hub.close());
    hub.addImage("library/app", "1", { layers: [3 * MIB, 500_000] });
    ollama = await startOllamaUpstream(cleanup);
    model = addModel(ollama, "library/llama3.2", { seed: 7, size: 32 * MIB });
    const upstream = (fake: FakeRegistry) => ({ endpoints: [fake.url], internal: true });
    granary = await startGranary(cleanup, {
      upstreams: { [HUB]: upstream(hub), [OLLAMA]: upstream(ollama) },
    });
  });
  afterEach(() => cleanup.disposeAsync());

  const asked = async (...args: string[]) => JSON.parse(await granary.ask(...args, "--json")) as Answer;

  /** It answers commands a moment after it is ready. */
  async function startAgain(): Promise<void> {
    await granary.start();
    await eventually(() => asked("status"));
  }

  async function pullBoth(): Promise<void> {
    const client = await skopeo.start(cleanup, granary.port(HUB));
    await client.pull({ repository: "library/app", tag: "1" });
    await pullModel({
      name: `${new URL(granary.url(OLLAMA)).host}/${model.repository}:${model.tag}`,
      placeFor: (layer) => checkedPlace(model, layer),
      limits: { smallest: 1_000_000, largest: 2_000_000 },
    });
  }

  test("one pull each, with what was served, fetched and saved, also after a restart and after a kill", async () => {
    await pullBoth();
    // The last transfers are stored a moment after their clients have everything.
    await eventually(async () => expect((await asked("status")) as unknown).toMatchObject({ fills: [] }));
    await pullBoth();
    await eventually(async () => {
      const { items } = await asked("pulls");
      expect(items).toHaveLength(4);
      expect(items.every(({ state }) => state === "done")).toBe(true);
    });
    const pulls = (await asked("pulls")).items;
    const modelBytes = [...model.blobs.values()].reduce((sum, { size }) => sum + size, 0);
    expect(pulls).toMatchObject([
      {
        upstream: OLLAMA,
        repository: "library/llama3.2",
        tag: "latest",
        agent: "ollama",
        misses: 0,
        size: modelBytes,
      },
      {
        upstream: HUB,
        repository: "library/app",
        tag: "1",
        agent: expect.stringContaining("skopeo"),
        blobs: 3,
      },
      { upstream: OLLAMA, tag: "latest", agent: "ollama", client: "127.0.0.1", isRepeated: false },
      { upstream: HUB, tag: "1", client: "127.0.0.1" },
    ]);
    const upstreams = (await asked("traffic", "--by", "upstream")).items;
    expect(upstreams.map(({ name }) => name)).toEqual([OLLAMA, HUB]);
    for (const { name, served, fetched } of upstreams) {
      const once = name === HUB ? 3 * MIB : modelBytes;
      expect(Number(served), `served of ${name}`).toBeGreaterThanOrEqual(2 * once);
      expect(Number(fetched), `fetched of ${name}`).toBeGreaterThanOrEqual(once);
      expect(Number(fetched), `fetched of ${name}`).toBeLessThan(1.5 * once);
    }
    const { all } = await asked("traffic");
    expect(Number(all.saved)).toBeGreaterThan(modelBytes);

    await granary.stop();
    await startAgain();
    expect((await asked("pulls")).items).toEqual(pulls);
    expect((await asked("traffic")).all).toEqual(all);
    await granary.kill();
    await startAgain();
    expect((await asked("pulls")).items).toEqual(pulls);
    expect((await asked("traffic", "--by", "client")).items).toMatchObject([{ name: "127.0.0.1", pulls: 4 }]);
  });
});
