/**
 * Owns the lab of the pictures: a morning with registries behind slow lines, a real Granary with a history, machines that pull, and a
 * registry that refuses. What is seen of it is real traffic, but for the history (lab-history.ts).
 */
import { request } from "node:http";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type GranaryProcess, startGranary } from "../../e2e/support/granary-process.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/fake-registry.ts";
import { putBehind } from "../../support/slow-line/publish.ts";
import { SlowLine } from "../../support/slow-line.ts";
import { writeHistory } from "./lab-history.ts";
import { IMAGES, type LabImage, MACHINES, MODEL_MACHINES } from "./lab-names.ts";

const MB = 1_000_000;
const POLL_MS = 50;
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const INDEX = "application/vnd.oci.image.index.v1+json";

export type LabOptions = {
  /** 1: images of some hundred megabytes. Less for tests. */
  readonly scale: number;
  /** Three numbers with their dots: the addresses of the machines begin with them, and this machine must have them. */
  readonly network: string;
};

export type Lab = { readonly granary: GranaryProcess };

/** Resolves when some of it is stored, some is on its way, and all clients are at work. */
export async function startLab(cleanup: AsyncDisposableStack, { scale, network }: LabOptions): Promise<Lab> {
  const lines = new Map(IMAGES.map(({ upstream }) => [upstream, new SlowLine({ delayMs: 30 })]));
  cleanup.defer(async () => void (await Promise.all([...lines.values()].map((line) => line.close()))));
  const registries = await startRegistries(cleanup, lines);
  const granary = await startGranary(cleanup, settingsFor(registries, scale));
  const addressOf = (machine: number) => `${network}.${MACHINES[machine]?.place ?? 0}`;
  await granary.stop();
  await writeHistory(join(dirname(granary.config), "data/granary.db"), addressOf);
  await granary.start();

  const pull = (image: LabImage, machine: number) =>
    pullFrom(granary.url(image.upstream), image, addressOf(machine), MACHINES[machine]?.agent ?? "");
  const [small, large] = [IMAGES.filter(isSmall), IMAGES.filter((image) => !isSmall(image))];
  for (const [index, image] of IMAGES.entries()) addTo(registries.get(image.upstream), image, index, scale);
  for (const [index, image] of small.entries()) await pull(image, index % MACHINES.length);
  for (let again = 0; again < 5; again += 1) await Promise.all(small.map((image) => pull(image, again)));

  registries.get("quay.io")?.fail(/manifests/, { kind: "rate-limited", retryAfter: "1800" }, { times: 1e6 });
  await pull({ ...(IMAGES.at(-1) as LabImage), tag: "v3.9.0" }, 1).catch(() => undefined);
  for (const line of lines.values()) line.set({ rate: 100 * MB * scale });
  // Whoever asks first is further on.
  for (const [index, image] of large.entries()) {
    const machines = image.isModel ? MODEL_MACHINES : [index - 2, index - 1];
    for (const machine of machines) void pull(image, machine).catch(() => undefined);
    await untilServed(granary, image, [0.5, 0.3, 0.2, 0.1][index] ?? 0.05);
    // The last one of its registry: from now on they take their time.
    if (large[index + 1]?.upstream !== image.upstream)
      lines.get(image.upstream)?.set({ rate: 3 * MB * scale });
  }
  return { granary };
}

function isSmall({ megabytes }: LabImage): boolean {
  return megabytes < 300;
}

async function startRegistries(cleanup: AsyncDisposableStack, lines: ReadonlyMap<string, SlowLine>) {
  const registries = new Map<string, FakeRegistry>();
  for (const [upstream, line] of lines) {
    const registry = await startFakeRegistry({ mode: "plain" });
    cleanup.defer(() => registry.close());
    await putBehind(line, registry);
    registries.set(upstream, registry);
  }
  const hub = registries.get("docker.io");
  if (hub !== undefined) hub.settings.rateLimit = { limit: 100, windowSeconds: 21_600 };
  return registries;
}

function settingsFor(registries: ReadonlyMap<string, FakeRegistry>, scale: number) {
  const upstreams = [...registries].map(([name, { url }]) => [name, { endpoints: [url], internal: true }]);
  return {
    upstreams: Object.fromEntries(upstreams),
    maxSize: `${Math.max(200, Math.round(6_000 * scale))}MiB`,
    admin: {},
    sections: {
      keep: ["alpine:3.*", "ollama:llama3.2"],
      warm: {
        morning: {
          references: ["node:24", "python:3.14", "ollama:llama3.2"],
          platforms: ["linux/amd64"],
          schedule: "30 6 * * *",
        },
      },
    },
  };
}

/** An image of three layers for two platforms, or a model of one large file. */
function addTo(registry: FakeRegistry | undefined, image: LabImage, index: number, scale: number): void {
  if (registry === undefined) return;
  const { repository, tag, megabytes, isModel } = image;
  const parts = isModel ? [0.35] : [0.08, 0.62, 0.3];
  const layers = parts.map((part) => Math.max(1_000, Math.round(megabytes * MB * part * scale)));
  const add = (seed: number, name?: string) =>
    registry.addImage(repository, name, { layers, seed, format: "oci" });
  const first = add(index * 20 + 1, isModel ? tag : undefined);
  if (isModel) return;
  const second = add(index * 20 + 10);
  registry.addIndex(repository, tag, [
    { digest: first.manifestDigest, platform: "linux/amd64" },
    { digest: second.manifestDigest, platform: "linux/arm64" },
  ]);
}

type Manifest = {
  readonly config?: { readonly digest: string };
  readonly layers?: readonly { readonly digest: string }[];
  readonly manifests?: readonly { readonly digest: string }[];
};

async function pullFrom(url: string, { repository, tag }: LabImage, localAddress: string, agent: string) {
  const ask = (path: string, isWanted: boolean) =>
    read(`${url}/v2/${repository}/${path}`, { localAddress, agent, isWanted });
  const document = async (reference: string) =>
    JSON.parse(await ask(`manifests/${reference}`, true)) as Manifest;
  const named = await document(tag);
  const [own] = named.manifests ?? [];
  const { config, layers = [] } = own === undefined ? named : await document(own.digest);
  const digests = [config, ...layers].flatMap((part) => part?.digest ?? []);
  await Promise.all(digests.map((digest) => ask(`blobs/${digest}`, false)));
}

type Ask = { readonly localAddress: string; readonly agent: string; readonly isWanted: boolean };

/** The body where it is wanted; else it is only taken. */
function read(url: string, { localAddress, agent, isWanted }: Ask): Promise<string> {
  const headers = { "User-Agent": agent, Accept: `${INDEX}, ${MANIFEST}` };
  return new Promise((resolve, reject) => {
    const asked = request(url, { localAddress, headers }, (answer) => {
      let body = "";
      answer.on("data", (chunk: Buffer) => {
        if (isWanted) body += chunk.toString("utf8");
      });
      answer.once("error", reject);
      answer.once("end", () =>
        answer.statusCode === 200 ? resolve(body) : reject(new Error(`${answer.statusCode} for ${url}`)),
      );
    });
    asked.once("error", reject);
    asked.end();
  });
}

/** Until a client has this part of `image`, or all of it. */
async function untilServed({ admin }: GranaryProcess, { repository }: LabImage, part: number): Promise<void> {
  for (let isSeen = false; ; await sleep(POLL_MS)) {
    const answer = await fetch(`${admin}/api/v1/status`);
    const { pulls } = (await answer.json()) as { pulls: RunningPull[] };
    const mine = pulls.filter((pull) => pull.repository === repository);
    if (mine.some(({ served, size }) => size !== null && served >= part * size)) return;
    if (isSeen && mine.length === 0) return;
    isSeen ||= mine.length > 0;
  }
}

type RunningPull = { readonly repository: string; readonly served: number; readonly size: number | null };
