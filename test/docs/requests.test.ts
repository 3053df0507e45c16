/**
 * Shows that the three requests that docs/architecture.md draws pass the files that it draws: they are sent to a real server over a real
 * Mirror, while Node counts which functions are called.
 */
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { serve } from "../../src/http/serve.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { MiB, type MirrorWorld, startWorld, UPSTREAM } from "../support/mirror-world.ts";
import { eventually } from "../support/patience.ts";
import { upstreamOf } from "../support/upstream-of.ts";
import { ask } from "../support/wire.ts";
import { blocksOf, readPage } from "./markdown.ts";
import { filesThatWork } from "./request-path.ts";

/** So many files a cold range may pass; more are too many to follow. */
const MOST_HOPS = 30;
const HOP = /[\w-]+(?:\/[\w-]+)*\.ts/g;

let page: string;
beforeAll(async () => {
  page = await readPage("docs/architecture.md");
});

function sectionOf(heading: string): string {
  const [, after = ""] = page.split(`\n### ${heading}\n`);
  return after.split(/^##/m)[0] ?? "";
}

/** What is drawn below `heading`, each file once. */
function drawn(heading: string): string[] {
  const text = blocksOf(sectionOf(heading)).map((block) => block.text);
  return [...new Set(text.join("\n").match(HOP) ?? [])];
}

/** The rooms, and the files that are rooms by themselves, that the page says are not drawn. */
function leftOut(): string[] {
  const [, text = ""] = /except these: ([\s\S]*?)\.\n\n/.exec(page) ?? [];
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);
}

const folderOf = (file: string): string => file.split("/").slice(0, -1).join("/");

async function served(world: MirrorWorld): Promise<number> {
  const listener = { port: 0, host: "127.0.0.1", upstream: UPSTREAM, login: undefined, tls: undefined };
  const settings = { listeners: [listener], upstreams: [upstreamOf(world.fake)], drainMs: 1_000 };
  const observers = { log: silentLog, metrics: createMetrics(), clock: world.clock };
  const serving = await serve(settings, world.mirror, observers);
  onTestFinished(() => serving.close());
  return serving.listeners[0]?.port ?? 0;
}

/** Background tasks work as well now and then: only what works each time is the request's. */
const ATTEMPTS = 10;

/** Sends a request, as often as it takes to tell its path from what happens at the same time, and compares that with what is drawn. */
async function expectPath(heading: string, send: (attempt: number) => Promise<void>): Promise<void> {
  const hops = drawn(heading);
  expect(hops.length, "files that are drawn").toBeGreaterThan(10);
  const rooms = new Set([...hops.map(folderOf), ...leftOut()]);
  let others: readonly string[] | undefined;
  for (let attempt = 0; attempt < ATTEMPTS && others?.length !== 0; attempt += 1) {
    const worked = await filesThatWork(() => send(attempt));
    expect(hops.filter((hop) => !worked.includes(hop))).toEqual([]);
    const more = worked.filter(
      (file) => file.includes("/") && !rooms.has(folderOf(file)) && !rooms.has(file),
    );
    others = others?.filter((file) => more.includes(file)) ?? more;
  }
  expect(others, "rooms that work for it, and are not drawn").toEqual([]);
}

describe("the path of", () => {
  it("a tag", async () => {
    const world = await startWorld();
    const port = await served(world);
    world.fake.addImage("a/b", "1", { layers: [100] });
    const url = "/v2/a/b/manifests/1";
    expect((await ask(port, url)).status).toBe(200);
    await expectPath("A tag", async () => {
      world.clock.aheadMs += 600_000;
      expect((await ask(port, url)).headers["x-cache"]).toBe("REVALIDATED");
    });
  });

  it("a warm blob", async () => {
    const world = await startWorld();
    const port = await served(world);
    const url = `/v2/a/b/blobs/${world.fake.addGeneratedBlob({ seed: 1, size: MiB })}`;
    await eventually(async () => expect((await ask(port, url)).headers["x-cache"]).toBe("HIT"));
    await expectPath("A warm blob", async () => expect((await ask(port, url)).body).toHaveLength(MiB));
  });

  it("a cold range", async () => {
    const world = await startWorld();
    const port = await served(world);
    await expectPath("A cold range", async (attempt) => {
      const url = `/v2/a/b/blobs/${world.fake.addGeneratedBlob({ seed: 2 + attempt, size: 8 * MiB })}`;
      const answer = await ask(port, url, { headers: { range: `bytes=${MiB}-${2 * MiB - 1}` } });
      expect(answer).toMatchObject({ status: 206, isComplete: true });
      expect(answer.headers["x-cache"]).toBe("MISS");
    });
    expect(drawn("A cold range").length).toBeLessThanOrEqual(MOST_HOPS);
  });
});
