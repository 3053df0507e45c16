/**
 * Shows that the history is the one of the server, wherever the browser is: its hours, days and months, its sums, who pulled what and when. The
 * server is in Auckland here and the browser in Los Angeles, which are never on the same day for long.
 */
import { appendFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { openDatabase } from "../../src/metadata/database.ts";
import type { PullRow } from "../../src/metadata/pull-rows.ts";
import { periodTitle } from "../../src/page/periods.js";
import { hourOf } from "../../src/records/local-time.ts";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

const DAY_MS = 86_400_000;
const WAIT = { timeout: 60_000, interval: 100 };
const UNITS = [
  ["hour", "By hour", 2],
  ["day", "By day", 31],
  ["month", "By month", 731],
] as const;

type Sums = {
  readonly name: string;
  readonly served: number;
  readonly fetched: number;
  readonly saved: number;
  readonly pulls: number;
};

describeWith(["chromium"], "history", () => {
  const cleanup = new AsyncDisposableStack();
  const zone = process.env.TZ;
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    process.env.TZ = "Pacific/Auckland";
    world = await startWorld(cleanup);
    browser = await startBrowser(cleanup);
    await world.granary.stop();
    await writeEarlier(join(dirname(world.granary.config), "data/granary.db"));
    await world.granary.start();
    world.add("library/alpine", "3", [1, 2]);
    world.add("library/redis", "7", [1.5], 7);
    for (let times = 0; times < 3; times += 1) await world.pull("library/alpine", "3");
    await world.pull("library/redis", "7", "skopeo/1.18.0");
    await world.pull("library/nowhere", "latest").catch(() => undefined);
    await vi.waitFor(async () => expect((await ask("pulls?state=failed")).items).toHaveLength(1), WAIT);
  });
  afterAll(async () => {
    process.env.TZ = zone;
    if (zone === undefined) delete process.env.TZ;
    await cleanup.disposeAsync();
  });

  async function ask(target: string) {
    return await (await fetch(`${world.granary.admin}/api/v1/${target}`)).json();
  }

  async function open(view: string) {
    const watched = await watchedPage(browser, world.granary.admin, { timezoneId: "America/Los_Angeles" });
    await watched.page.goto(`${world.granary.admin}/#/${view}`);
    await watched.page.locator(".headline").waitFor();
    return watched;
  }

  const bytesIn = (page: Page, place: string) =>
    page
      .locator(`${place} [data-bytes]`)
      .evaluateAll((cells) => cells.map((cell) => Number(cell.dataset.bytes)));

  test("its numbers are those of the API, period by period, in a browser of another time zone", async () => {
    const { page, faults } = await open("history");
    for (const [by, title, days] of UNITS) {
      await page.getByRole("button", { name: title }).click();
      const { items } = (await ask(`traffic?by=${by}&days=${days}&empty=true&limit=1000`)) as {
        items: Sums[];
      };
      await expect.poll(() => page.locator(".slot").count()).toBe(items.length);
      await page.getByText("The numbers as a table").click();
      const table = page.locator(".numbers");
      expect(await table.locator("tbody th").allInnerTexts()).toEqual(
        items.map(({ name }) => periodTitle(name, by)),
      );
      expect(await bytesIn(page, ".numbers")).toEqual(
        items.flatMap(({ served, fetched, saved }) => [served, fetched, saved]),
      );
      const sum = (name: "served" | "fetched" | "saved") => items.reduce((all, item) => all + item[name], 0);
      expect(await bytesIn(page, ".headline")).toEqual([sum("saved"), sum("served"), sum("fetched")]);
      // What was pulled a moment ago is in the newest period, at the right end.
      expect(items[0]?.served).toBeGreaterThan(9_000_000);
      const newest = await page.locator(".slot").last().locator(".is-served").boundingBox();
      expect(newest?.height).toBeGreaterThan(5);
      expect(items.slice(1).some(({ served }) => served === 0)).toBe(true);
    }
    expect(await seriousFindings(page)).toEqual([]);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("by keyboard a person reads the bars one by one, and chooses the months", async () => {
    const { page, faults } = await open("history");
    await page.locator(".plot").focus();
    await page.keyboard.press("ArrowLeft");
    const { items } = (await ask("traffic?by=day&days=31&empty=true&limit=1000")) as { items: Sums[] };
    const reading = page.locator(".reading");
    await expect.poll(() => reading.innerText()).toContain(periodTitle(items[0]?.name ?? "", "day"));
    await page.keyboard.press("ArrowLeft");
    await expect.poll(() => reading.innerText()).toContain(periodTitle(items[1]?.name ?? "", "day"));
    await page.getByRole("button", { name: "By month" }).focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => page.locator(".slot").count()).toBe(25);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("a person finds who pulled something, what failed and why, and what is stored of it", async () => {
    const { page, faults } = await open("history");
    const rows = page.locator(".pulls tbody tr");
    await page.getByLabel("Image, model or client").fill("redis");
    const list = page.locator(".pulls tbody");
    await expect.poll(() => rows.count()).toBe(1);
    await expect.poll(() => list.innerText()).toMatch(/redis:7.*127\.0\.0\.1.*skopeo.*1\.57 MB/s);
    await page.getByLabel("Image, model or client").fill("");
    await page.getByLabel("Which pulls").selectOption("failed");
    await expect.poll(() => list.innerText()).toMatch(/^nowhere:latest.*library\/nowhere/s);
    await page.getByLabel("Which pulls").selectOption("");
    await expect.poll(() => rows.count()).toBe(25);
    await page.locator(".most").first().getByRole("link", { name: "alpine", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.locator("main[aria-label=Contents]").waitFor();
    await expect.poll(() => page.locator("main").innerText()).toMatch(/alpine/);
    await page.goBack();
    await page.locator(".most").nth(1).getByRole("link", { name: "127.0.0.1" }).click();
    await expect.poll(() => page.getByLabel("Image, model or client").inputValue()).toBe("127.0.0.1");
    await expect.poll(() => rows.count()).toBe(5);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("older pulls are on further pages, and the way back leads to the newest", async () => {
    const { page, faults } = await open("history");
    const rows = page.locator(".pulls tbody tr");
    await page.getByRole("button", { name: "Older" }).click();
    await expect.poll(() => rows.first().innerText()).toContain("old:15");
    await page.getByRole("button", { name: "Older" }).waitFor();
    expect(await page.getByRole("button", { name: "Older" }).isDisabled()).toBe(true);
    await page.getByRole("button", { name: "Newer" }).focus();
    await page.keyboard.press("Enter");
    await expect.poll(() => rows.first().innerText()).toContain("nowhere");
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("where addresses of clients are not kept it is said, and the rest is there", async () => {
    await appendFile(world.granary.config, "\ntraffic: { clients: off }\n");
    const answer = await fetch(`${world.granary.admin}/api/v1/settings/reload`, { method: "POST" });
    expect(answer.status).toBe(200);
    const { page, faults } = await open("history");
    await page.getByText("The addresses of clients are not kept: the settings say").waitFor();
    await page.getByLabel("Image or model").fill("redis");
    const rows = page.locator(".pulls tbody tr");
    await expect.poll(() => rows.count()).toBe(1);
    expect(await page.locator("main").innerText()).not.toContain("127.0.0.1");
    await page.context().close();
    expect(faults).toEqual([]);
  });
});

/** Traffic of yesterday and of last year, and thirty pulls of an image that is gone. */
async function writeEarlier(database: string): Promise<void> {
  const { records, close } = openDatabase(database);
  const now = Date.now();
  const sums = { served: 5_000_000, fetched: 1_000_000, pulls: 5, hits: 5, misses: 1 };
  const traffic = [1, 400].map((days) => ({
    ...{ hour: hourOf(now - days * DAY_MS), upstream: "docker.io", repository: "library/old", sums },
  }));
  const pulls = Array.from({ length: 35 }, (_, index) => oldPull(index + 1, now - DAY_MS + index * 1_000));
  records.write({ events: [], pulls, traffic, endedUpTo: 0 });
  await close();
}

function oldPull(id: number, begunAt: number): PullRow {
  return {
    ...{
      id,
      upstream: "docker.io",
      repository: "library/old",
      tag: String(id),
      digest: null,
      platform: null,
    },
    ...{
      client: "192.0.2.1",
      agent: "docker",
      state: "done",
      begunAt,
      endedAt: begunAt,
      tookMs: 10,
      served: 100,
    },
    ...{ size: 100, blobs: 1, hits: 1, misses: 0, isRepeated: 0, reason: null },
  };
}
