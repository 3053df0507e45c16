/** Shows that what is huge stays quick to look at: thousands of whatever can be many make a page of some hundred lines, and each view goes on answering. */
import type { Browser, Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

/** Elements in the document; a browser is quick with ten times as many. */
const MOST_ELEMENTS = 5_000;

const many = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const digest = (index: number) => `sha256:${index.toString(16).padStart(64, "0")}`;
const repository = (index: number) => `organization-${index % 97}/a-long-name-of-a-repository-${index}`;
const BIG = 40_000_000_000;

type Status = Record<string, unknown> & { readonly now: number; readonly upstreams: readonly object[] };

/** A moment of a Granary that a whole university uses: 200 fills, 100 pulls, and what is wrong with fifty things. */
function hugeStatus(status: Status): Status {
  const fill = (index: number) => ({
    digest: digest(index),
    upstream: "docker.io",
    state: "filling",
    size: BIG,
    present: BIG / 2,
    lanes: 8,
    readers: 3,
    waits: 2,
    purpose: "waited",
    begunAt: status.now - index * 1_000,
    bytesPerSecond: 1_000_000 + index,
    serves: many(10, (each) => ({
      repository: repository(index),
      tag: `v${each}`,
      client: `10.0.${index}.${each}`,
      purpose: "waited",
      readers: 1,
      waiting: 1,
    })),
    runs: many(100, (each) => ({ start: (each * BIG) / 100, end: (each * BIG) / 100 + BIG / 200 })),
    lanesAt: many(8, (each) => (each * BIG) / 8),
    readersAt: many(3, (each) => (each * BIG) / 3),
  });
  const pull = (index: number) => ({
    id: index,
    upstream: "docker.io",
    repository: repository(index),
    tag: "latest",
    platform: "linux/amd64",
    client: `10.1.${index >> 8}.${index & 255}`,
    agent: "docker/29.0.0",
    begunAt: status.now - index,
    served: index * 1_000,
    size: BIG,
  });
  const [first] = status.upstreams;
  return {
    ...status,
    fills: many(200, fill),
    pulls: many(100, pull),
    upstreams: many(60, (index) => ({ ...first, name: `registry-${index}.example` })),
    troubles: many(
      50,
      (index) => `The upstream registry-${index}.example does not answer: look at its state.`,
    ),
  };
}

const job = (index: number) => ({
  id: index + 1,
  kind: "verify",
  title: `Check the disk, number ${index}`,
  state: "done",
  startedAt: 1_000 * index,
  endedAt: 1_000 * index + 500,
  progress: { bytes: { done: BIG, total: BIG }, things: { done: 10, total: 10 } },
  notes: [],
  resumes: 0,
});
const event = (index: number) => ({
  id: 10_000 - index,
  at: Date.now() - index * 1_000,
  kind: index % 2 === 0 ? "pull-failed" : "tag-moved",
  text: `What happened to ${repository(index)}, told in one sentence.`,
  facts: { reason: `Reason ${index % 40}`, upstream: "docker.io", repository: repository(index) },
});
const line = (index: number) => ({
  upstream: "docker.io",
  repository: repository(index),
  tags: 10,
  size: BIG,
  partial: 0,
  wanted: BIG,
  saved: index,
  usedAt: 1_000,
});
const sums = { served: BIG, fetched: 1_000, saved: BIG, pulls: 12, hits: 1, misses: 1 };
const rule = (index: number) => ({
  pattern: `organization-${index}/**`,
  from: "command",
  madeAt: 1,
  names: 3,
  size: 1,
  partial: 0,
  wanted: 2,
});

/** As many as there are, or as are asked for at once. */
function answerTo(url: URL): object | undefined {
  const limit = Number(url.searchParams.get("limit") ?? 100);
  const page = <T>(all: number, make: (index: number) => T) => ({
    items: many(Math.min(all, limit), make),
    count: all,
    next: String(limit),
  });
  switch (url.pathname) {
    case "/api/v1/contents":
      return page(10_000, line);
    case "/api/v1/jobs":
      return page(1_000, job);
    case "/api/v1/events/past":
      return page(5_000, event);
    case "/api/v1/keep":
      return { rules: many(2_000, rule) };
    case "/api/v1/rules":
      return { items: many(2_000, (index) => ({ kind: "deny", ...rule(index) })), cooldowns: [] };
    case "/api/v1/held-back":
      return {
        items: many(2_000, (index) => ({
          name: `docker.io/${repository(index)}:latest`,
          newDigest: digest(index),
          oldDigest: digest(index + 1),
          firstSeenAt: 1,
          passesAt: 2,
        })),
      };
    case "/api/v1/traffic":
      if (url.searchParams.get("by") === "client")
        return page(500, (index) => ({ name: `10.2.${index >> 8}.${index & 255}`, ...sums }));
      if (url.searchParams.get("by") === "repository")
        return page(10_000, (index) => ({ name: `docker.io/${repository(index)}`, ...sums }));
      return undefined;
    default:
      return undefined;
  }
}

const elements = (page: Page) => page.evaluate(() => document.querySelectorAll("*").length);

describeWith(["chromium"], "a huge Granary", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    [world, browser] = await Promise.all([startWorld(cleanup), startBrowser(cleanup)]);
  });
  afterAll(() => cleanup.disposeAsync());

  test("every view shows a part of what there is, says how much more there is, and goes on", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    const status = hugeStatus((await (await fetch(`${world.granary.admin}/api/v1/status`)).json()) as Status);
    let told = 0;
    await page.route("**/api/v1/**", async (route: Route) => {
      const url = new URL(route.request().url());
      if (url.pathname === "/api/v1/status")
        return await route.fulfill({ json: { ...status, now: Date.now() } });
      if (url.pathname === "/api/v1/events") {
        told += 1;
        const json = JSON.stringify({ ...status, now: Date.now() });
        const happened = many(300, (index) => `event: event\ndata: ${JSON.stringify(event(index))}\n\n`);
        return await route.fulfill({
          contentType: "text/event-stream",
          body: `${happened.join("")}event: snapshot\ndata: ${json}\n\n`,
        });
      }
      const answer = answerTo(url);
      return answer === undefined ? await route.fallback() : await route.fulfill({ json: answer });
    });
    const developer = await page.context().newCDPSession(page);
    await developer.send("Performance.enable");
    const scripts = async () => {
      const { metrics } = await developer.send("Performance.getMetrics");
      return Math.round((metrics.find(({ name }) => name === "ScriptDuration")?.value ?? 0) * 1_000);
    };
    await page.goto(world.granary.admin);
    await page.locator(".live .good").waitFor();
    const found: Record<string, number> = {};
    for (const view of [
      "now",
      "contents",
      "history",
      "setup",
      "jobs",
      "jobs?part=rules",
      "jobs?part=line",
      "trouble",
    ]) {
      await page.evaluate((hash) => location.assign(hash), `#/${view}`);
      await page.locator("main h1").waitFor({ state: "attached" });
      await expect.poll(() => page.locator("[aria-busy=true]").count()).toBe(0);
      // Some moments with all that happens.
      const [before, ran] = [told, await scripts()];
      await expect.poll(() => told).toBeGreaterThan(before + 2);
      found[view] = await elements(page);
      if (process.env.MEASURE !== undefined)
        console.log(
          view,
          found[view],
          "elements,",
          (await scripts()) - ran,
          "ms of script for",
          told - before,
        );
      expect(await page.getByText("cannot be drawn").count(), view).toBe(0);
    }
    await page.evaluate(() => location.assign("#/jobs?part=rules"));
    const rules = page.getByRole("list", { name: "Keep rules" }).getByRole("listitem");
    await expect.poll(() => rules.count()).toBe(100);
    const kept = page.locator("section", { has: page.getByRole("heading", { name: "Kept" }) });
    await kept.getByRole("button", { name: "Show more 1,900 are left" }).click();
    await expect.poll(() => rules.count()).toBe(200);
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
    expect(Object.entries(found).filter(([, count]) => count > MOST_ELEMENTS)).toEqual([]);
    expect(faults).toEqual([]);
  });
});
