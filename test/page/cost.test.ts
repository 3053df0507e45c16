/** Shows what the page costs: its bytes over the wire, the time until something is seen, and its memory over a day. */
import type { Browser, CDPSession, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Status } from "../../src/http/admin/routes/status-routes.ts";
import { sizeParts } from "../../src/page/format.js";
import { describeWith } from "../e2e/support/required-programs.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { MADE_AT, MadeStream, madeFill, madeStatus } from "./support/made-stream.ts";
import { startWorld, type World } from "./support/world.ts";

const MOST_BYTES = 150_000;
const DAY_S = 86_400;
/** Each snapshot of the test stands for so many of a day. */
const STEP_S = 30;

describeWith(["chromium"], "the page", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup);
    browser = await startBrowser(cleanup, ["--enable-precise-memory-info"]);
  });
  afterAll(() => cleanup.disposeAsync());

  test("weighs less than 150 KB with everything that it loads, and shows something after a few hundred milliseconds", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/`);
    await page.locator(".live .good").waitFor();
    const files = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map(
        (entry) => {
          const { name, encodedBodySize, transferSize } = entry as PerformanceResourceTiming;
          return { path: new URL(name).pathname, encodedBodySize, transferSize };
        },
      ),
    );
    const own = files.filter(({ path }) => path === "/" || path.startsWith("/page/"));
    const bytes = own.reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0);
    const withHeaders = own.reduce((sum, { transferSize }) => sum + transferSize, 0);
    const [paint] = await page.evaluate(() =>
      performance.getEntriesByType("paint").map(({ name, startTime }) => ({ name, startTime })),
    );
    console.log(
      `${own.length} files, ${bytes} bytes compressed, ${withHeaders} with headers; ${paint?.name} after ${Math.round(paint?.startTime ?? 0)} ms`,
    );
    expect(own.length).toBeGreaterThan(20);
    expect(bytes).toBeLessThan(MOST_BYTES);
    // A second on a quiet machine, and many on one that does twenty other things: it only must not wait for something that does not come.
    expect(paint?.startTime).toBeLessThan(15_000);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("is open for a day of traffic, and needs no more memory in the evening than in the morning", async () => {
    const made = await MadeStream.start(cleanup, world.granary.admin);
    const { page, faults } = await watchedPage(browser, made.url);
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable");
    made.send(dayAt(0));
    await page.goto(`${made.url}/#/now`);
    await page.locator(".fill").first().waitFor();
    const seen: Memory[] = [];
    const parts = 8;
    const begun = performance.now();
    for (let part = 1; part <= parts; part += 1) {
      await replay(made, page, ((part - 1) * DAY_S) / parts, (part * DAY_S) / parts);
      seen.push(await memoryOf(session));
    }
    const seconds = (performance.now() - begun) / 1000;
    console.log(
      `a day in ${seconds.toFixed(0)} s: ${seen.map(({ heap, nodes, listeners }) => `${(heap / 1e6).toFixed(1)} MB ${nodes} nodes ${listeners} listeners`).join(", ")}`,
    );
    // The first eighth fills what is bounded: the hour of the chart and the last events.
    const [, morning, ...later] = seen;
    const evening = later.at(-1);
    if (morning === undefined || evening === undefined) throw new Error("nothing was measured");
    expect(evening.heap).toBeLessThan(morning.heap * 1.15 + 500_000);
    expect(evening.nodes).toBeLessThan(morning.nodes * 1.2 + 200);
    expect(evening.listeners).toBeLessThan(morning.listeners * 1.2 + 20);
    await page.context().close();
    expect(faults).toEqual([]);
  });
});

type Memory = { readonly heap: number; readonly nodes: number; readonly listeners: number };

/** What is left after everything that can be was given back. */
async function memoryOf(session: CDPSession): Promise<Memory> {
  await session.send("HeapProfiler.collectGarbage");
  await session.send("HeapProfiler.collectGarbage");
  const { metrics } = await session.send("Performance.getMetrics");
  const of = (name: string) => metrics.find((metric) => metric.name === name)?.value ?? 0;
  return { heap: of("JSHeapUsedSize"), nodes: of("Nodes"), listeners: of("JSEventListeners") };
}

/** Sends the snapshots of a part of the day and its events; resolves when the page shows the last one. */
async function replay(made: MadeStream, page: Page, from: number, to: number) {
  for (let second = from + STEP_S; second <= to; second += STEP_S) {
    const before = dayAt(second - STEP_S).fills;
    const status = dayAt(second);
    for (const fill of before)
      if (!status.fills.some(({ digest }) => digest === fill.digest)) tellEnd(made, fill, second);
    made.send(status);
    // No faster than the page takes them: what waits in the connection is no memory of the page.
    if ((second / STEP_S) % 40 === 0 || second + STEP_S > to) await shownSaved(page, status);
  }
}

async function shownSaved(page: Page, { traffic }: Status) {
  const text = sizeParts(traffic.all.saved).join("");
  await page.waitForFunction((saved) => document.querySelector(".hero .number")?.textContent === saved, text);
}

let events = 0;
function tellEnd(made: MadeStream, fill: Status["fills"][number], second: number) {
  events += 1;
  const facts = { digest: fill.digest, upstream: fill.upstream };
  made.tell({ id: events, at: MADE_AT + second * 1_000, kind: "fill-ended", text: "fetched a blob", facts });
}

/** The day at that second: fills come and go, and so do pulls; other names at other times. */
function dayAt(second: number): Status {
  const now = MADE_AT + second * 1_000;
  const served = 5e12 + second * 20_000_000;
  const fetched = 1e12 + second * 2_000_000;
  const fills = Array.from({ length: 12 }, (_, lane) => {
    const age = (second + lane * 40) % 480;
    const born = Math.floor((second + lane * 40) / 480);
    const size = 4e9;
    const end = Math.round((size * age) / 480);
    return madeFill(born * 12 + lane, {
      size,
      runs: [{ start: 0, end }],
      lanesAt: [end],
      readersAt: [end],
      begunAt: now - age * 1_000,
    });
  });
  const pulls = fills.map((fill, at) => ({
    id: Number.parseInt(fill.digest.slice(-10), 16),
    upstream: "docker.io",
    repository: `library/image-${at}`,
    tag: "latest",
    platform: "linux/amd64",
    client: `10.0.${at}.${Math.floor(second / 600) % 250}`,
    agent: "docker",
    begunAt: fill.begunAt,
    served: fill.present,
    size: fill.size,
    bytesPerSecond: 8e6,
    requests: 1,
    waiting: 0,
  }));
  const minute = Math.floor(now / 60_000) * 60_000;
  const minutes = [
    { at: minute, served: 20_000_000 * ((second % 60) + 1), fetched: 2_000_000 * ((second % 60) + 1) },
  ];
  const sums = { served, fetched, saved: served - fetched, pulls: second };
  return madeStatus({ now, fills, pulls, blobs: second, traffic: { today: sums, all: sums, minutes } });
}
