/**
 * Owns the world of the page's tests: a fake registry behind the slow line, a real Granary before it with its admin face, and machines that
 * pull. One world serves all tests of a file.
 */
import { type GranaryProcess, startGranary } from "../../e2e/support/granary-process.ts";
import type { FakeRegistry } from "../../support/fake-registry.ts";
import { startFakeRegistry } from "../../support/fake-registry.ts";
import { putBehind } from "../../support/slow-line/publish.ts";
import { type LineSettings, SlowLine } from "../../support/slow-line.ts";

const HUB = "docker.io";
const MIB = 2 ** 20;

export type WorldOptions = {
  readonly line?: Partial<LineSettings>;
  readonly maxSize?: string;
  readonly listen?: string;
  readonly admin?: Readonly<Record<string, unknown>>;
  readonly sections?: Readonly<Record<string, unknown>>;
  /** Beside Docker Hub: more upstreams, which the same registry answers for. */
  readonly upstreams?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
};

export type World = {
  readonly registry: FakeRegistry;
  readonly line: SlowLine;
  readonly granary: GranaryProcess;
  /** An image of Docker Hub with layers of so many MiB. */
  add(repository: string, tag: string, mib: readonly number[], seed?: number): void;
  /** As a client pulls it: the manifest, then all of its layers at once. Resolves with the bytes that came. */
  pull(repository: string, tag: string, agent?: string, upstream?: string): Promise<number>;
};

export async function startWorld(cleanup: AsyncDisposableStack, options: WorldOptions = {}): Promise<World> {
  const {
    line: settings = { rate: 6_000_000, delayMs: 30 },
    maxSize = "2GiB",
    upstreams = {},
    ...rest
  } = options;
  const registry = await startFakeRegistry({ mode: "plain" });
  cleanup.defer(() => registry.close());
  const line = new SlowLine(settings);
  cleanup.defer(() => line.close());
  await putBehind(line, registry);
  const granary = await startGranary(cleanup, {
    upstreams: Object.fromEntries(
      Object.entries({ [HUB]: {}, ...upstreams }).map(([name, settings]) => [
        name,
        { endpoints: [registry.url], internal: true, ...settings },
      ]),
    ),
    maxSize,
    admin: {},
    ...rest,
  });
  return {
    registry,
    line,
    granary,
    add: (repository, tag, mib, seed = 1) => {
      const layers = mib.map((count) => Math.round(count * MIB));
      registry.addImage(repository, tag, { layers, seed, format: "oci" });
    },
    pull: (repository, tag, agent, upstream = HUB) => pull(granary.url(upstream), repository, tag, agent),
  };
}

type Manifest = { readonly config: Layer; readonly layers: readonly Layer[] };
type Layer = { readonly digest: string };

async function pull(url: string, repository: string, tag: string, agent = "docker/29.0.0 go/go1.25") {
  const base = `${url}/v2/${repository}`;
  const headers = { "User-Agent": agent, Accept: "application/vnd.oci.image.manifest.v1+json" };
  const answer = await fetch(`${base}/manifests/${tag}`, { headers });
  if (!answer.ok) throw new Error(`${answer.status} for ${repository}:${tag}`);
  const { config, layers } = (await answer.json()) as Manifest;
  const sizes = await Promise.all(
    [config, ...layers].map(async ({ digest }) => {
      const blob = await fetch(`${base}/blobs/${digest}`, { headers: { "User-Agent": agent } });
      let bytes = 0;
      for await (const chunk of blob.body ?? []) bytes += chunk.length;
      return bytes;
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}
