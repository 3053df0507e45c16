/**
 * Shows that the client verbs fetch blobs, models and images on a fast and on a slow line, through a Granary and without one,
 * alone and many at once: what they bring is verified, and through Granary it crosses the line once.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { stringify } from "yaml";
import type { FakeRegistry } from "../support/fake-registry.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { type HubFront, startHubFront } from "./support/hub-front.ts";
import { FAST_LINE, LINES, type LineKind, mostCrossed, type OpenLine, openLine } from "./support/lines.ts";
import { addModel, bigLayerOf, startOllamaUpstream } from "./support/ollama-upstream.ts";
import { readAround } from "./support/readers-around.ts";
import { type RealUpstream, startRealUpstream, UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

const HUB = "docker.io";
const OLLAMA = "registry.ollama.ai";
const LAUNCHER =
  process.env.GRANARY_LAUNCHER ?? fileURLToPath(new URL("../../src/cli/granary.js", import.meta.url));
const MIB = 2 ** 20;
/** A verb is a process of Node: two cores run eight of them, and the other readers of the forty are light. */
const AT_ONCE = 8;
const AROUND = 32;

for (const line of LINES) {
  describeWith([...UPSTREAM_PROGRAMS, "curl"], `the client verbs on ${line.name}`, () =>
    defineVerbs(line, line === FAST_LINE ? 256 * MIB : 48 * MIB),
  );
}

function defineVerbs(line: LineKind, modelSize: number): void {
  let cleanup: AsyncDisposableStack;
  let upstream: RealUpstream;
  let front: HubFront;
  let fake: FakeRegistry;
  let granary: GranaryProcess;
  let directory: string;
  /** To Docker Hub, and to the Ollama registry. */
  let ways: (OpenLine | undefined)[];

  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    upstream = await startRealUpstream(cleanup);
    front = await startHubFront(cleanup, upstream);
    fake = await startOllamaUpstream(cleanup);
    ways = [await openLine(cleanup, line, front), await openLine(cleanup, line, fake)];
    directory = await scratchDirectory(cleanup, "verbs");
    const upstreams = {
      [HUB]: { endpoints: [front.url], internal: true, realms: ["127.0.0.2"] },
      [OLLAMA]: { endpoints: [fake.url], internal: true },
    };
    await writeFile(join(directory, "granary.yaml"), stringify({ upstreams }));
    granary = await startGranary(cleanup, { upstreams });
  });
  afterEach(() => cleanup.disposeAsync());

  const verb = (...args: string[]) =>
    runCommand(process.execPath, [LAUNCHER, ...args, "--quiet"], {
      env: { HOME: directory, DOCKER_CONFIG: "", REGISTRY_AUTH_FILE: "", XDG_RUNTIME_DIR: "" },
    });

  test.each(["through Granary", "directly"])(
    "fetch a blob, a model and an image at once, %s",
    async (how) => {
      const isThrough = how === "through Granary";
      const of = (name: string) =>
        isThrough ? ["--via", granary.url(name)] : ["--config", join(directory, "granary.yaml")];
      const { big } = upstream.content;
      const layer = big.layers.at(-1) ?? big.config;
      const model = addModel(fake, "library/big", { seed: 1, size: modelSize });
      const at = (name: string) => join(directory, name);
      const image = `${big.repository}:${big.tag}`;
      await Promise.all([
        verb("blob", "fetch", `${HUB}/${big.repository}`, layer.digest, at("blob"), ...of(HUB)),
        verb("model", "fetch", "big", at("model"), ...of(OLLAMA)),
        verb("image", "extract", image, at("root"), "--platform", "linux/amd64", ...of(HUB)),
      ]);
      expect(await digestOfFile(at("blob"))).toBe(layer.digest);
      expect(await digestOfFile(at("model"))).toBe(bigLayerOf(model).digest);
      await access(at("root/usr/share"));

      const sizes = [...big.layers, big.config].reduce((sum, { size }) => sum + size, 0);
      // Without Granary, two verbs that want one layer fetch it twice.
      expectCrossed(0, sizes + (isThrough ? 0 : layer.size));
      expectCrossed(1, modelSize);
    },
  );

  test("fetch one model eight times at once, in a crowd of forty, for the price of one", async () => {
    const model = addModel(fake, "library/big", { seed: 1, size: modelSize });
    const { digest, pattern } = bigLayerOf(model);
    const places = Array.from({ length: AT_ONCE }, (_, index) => join(directory, `model-${index}`));
    const via = ["--via", granary.url(OLLAMA)];
    const base = `${granary.url(OLLAMA)}/v2/${model.repository}/blobs`;
    const layer = { digest, size: pattern.size, mediaType: "application/octet-stream" };
    await Promise.all([
      readAround(base, [layer], AROUND),
      ...places.map((place) => verb("model", "fetch", "big", place, ...via)),
    ]);
    expect(new Set(await Promise.all(places.map(digestOfFile)))).toEqual(new Set([digest]));
    expectCrossed(1, modelSize);
  });

  /** At most so many bytes of content crossed the line. */
  function expectCrossed(way: 0 | 1, bytes: number): void {
    const answers = way === 0 ? front.account.matching({ origin: "cdn" }).length : fake.count();
    const crossed = ways[way]?.fronts.cdn.account.carried ?? sentBy(way);
    expect(crossed).toBeLessThanOrEqual(mostCrossed(bytes, answers) + MIB);
  }

  function sentBy(way: 0 | 1): number {
    const requests = way === 0 ? front.account.matching({ origin: "cdn" }) : fake.matching({ origin: "cdn" });
    return requests.reduce((sum, { bytesSent }) => sum + bytesSent, 0);
  }
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path), hash);
  return `sha256:${hash.digest("hex")}`;
}
