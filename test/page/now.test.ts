/** Shows the view of this moment against a real server: forty machines that pull over a slow line, what was saved, and upstreams in trouble. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Status } from "../../src/http/admin/routes/status-routes.ts";
import { size, sizeParts } from "../../src/page/format.js";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

const FORTY = 40;
/** Bytes a second while the fills are looked at: they last until that is done, however busy the machine is. */
const SLOW = 150_000;
const FASTER = 1_500_000;
const MIB = 2 ** 20;

async function asked<T>(world: World, path: string): Promise<T> {
  return (await (await fetch(`${world.granary.admin}${path}`)).json()) as T;
}

/** The rows of the chart's table, as a person reads them. */
async function chartRows(page: Page) {
  const rows = await page.locator(".chart-values tbody tr").all();
  return await Promise.all(rows.map(async (row) => (await row.locator("td").allInnerTexts()).join(" | ")));
}

describeWith(["chromium"], "the view of this moment", () => {
  const cleanup = new AsyncDisposableStack();
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  describe("while forty machines pull one image over a slow line", () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld(cleanup, { line: { rate: SLOW, delayMs: 20 } });
      world.add("library/busy", "1.0", [3, 5]);
    });

    test("a person watches it come in once, and sees what that saved", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/#/now`);
      await page.getByText("Nothing comes over the line right now.").waitFor();
      const pulls = Array.from({ length: FORTY }, () => world.pull("library/busy", "1.0"));
      const fill = page.locator(".fill", { hasText: "busy" }).first();
      await fill.getByText(/40 clients/).waitFor();
      const map = fill.locator("canvas");
      await expect
        .poll(() => map.getAttribute("aria-label"))
        .toMatch(/^(Less than )?\d+ % is here: .*connections? writes?.* 40 clients read.*waits? for bytes/);
      await fill.getByText(/B\/s/).first().waitFor();
      await fill.getByText(/ left$/).waitFor();
      // The marks of the lanes stand above the bar, those of readers below it.
      await expect.poll(() => paintedRows(page)).toEqual({ above: true, bar: true, below: true });
      expect(await seriousFindings(page)).toEqual([]);
      world.line.set({ rate: FASTER });
      const served = (await Promise.all(pulls)).reduce((sum, bytes) => sum + bytes, 0);
      expect(served).toBeGreaterThan(FORTY * 8 * MIB);

      await page.getByText("Nothing comes over the line right now.").waitFor();
      const { traffic } = await asked<Status>(world, "/api/v1/status");
      expect(traffic.all.served).toBeGreaterThanOrEqual(served);
      // The image came over the line once.
      expect(traffic.all.fetched).toBeLessThan(9 * MIB);
      const hero = page.locator(".hero .number");
      await expect.poll(() => hero.innerText()).toBe(sizeParts(traffic.all.saved).join(""));
      await page.locator(".today", { hasText: "today" }).waitFor();
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("a fill that ends says so, and then leaves", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      world.add("library/short", "1.0", [4], 2);
      await page.goto(`${world.granary.admin}/#/now`);
      await page.locator(".live .good").waitFor();
      const pull = world.pull("library/short", "1.0");
      await page.locator(".fill .ended", { hasText: "whole" }).first().waitFor();
      await pull;
      await page.getByText("Nothing comes over the line right now.").waitFor();
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("the chart says what /api/v1/traffic/minutes says, at the pointer, by the arrow keys and as a table", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/#/now`);
      await page.getByText("The numbers as a table").click();
      await expect
        .poll(async () => {
          type Minutes = { items: { served: number; fetched: number }[] };
          const { items } = await asked<Minutes>(world, "/api/v1/traffic/minutes");
          const told = items.map(
            ({ served, fetched }) => `${size(served)} | ${size(fetched)} | ${size(served - fetched)}`,
          );
          return JSON.stringify(await chartRows(page)) === JSON.stringify(told.reverse());
        })
        .toBe(true);
      const [newest = ""] = await chartRows(page);

      const chart = page.getByRole("slider");
      const legend = page.locator(".chart-legend");
      await chart.focus();
      await page.keyboard.press("Home");
      expect(await chart.getAttribute("aria-valuenow")).toBe("0");
      await legend.getByText("The last hour").waitFor({ state: "detached" });
      await page.keyboard.press("ArrowRight");
      expect(await chart.getAttribute("aria-valuenow")).toBe("1");
      await page.keyboard.press("Escape");
      await legend.getByText("The last hour").waitFor();

      // The pointer on the minute with traffic, wherever it is by now.
      const [toClients = ""] = newest.split(" | ");
      const box = await chart.boundingBox();
      for (let x = (box?.width ?? 0) - 34; x > 0; x -= 6) {
        await page.mouse.move((box?.x ?? 0) + x, (box?.y ?? 0) + 60);
        if ((await legend.innerText()).includes(toClients)) break;
      }
      expect(await legend.innerText()).toContain(toClients);
      expect(await chart.getAttribute("aria-valuetext")).toContain(`${toClients} to clients`);
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("the disk is shown against its budget", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/#/now`);
      const { disk } = await asked<Status>(world, "/api/v1/status");
      const card = page.locator(".card", { has: page.getByRole("heading", { name: "Disk" }) });
      await expect.poll(() => card.innerText()).toContain(`of ${size(disk.budget)}`);
      await page.context().close();
      expect(faults).toEqual([]);
    });
  });

  describe("with upstreams in trouble", () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld(cleanup, { line: { rate: 100_000_000, delayMs: 0 } });
      world.add("library/one", "1.0", [0.1]);
      world.registry.settings.rateLimit = { limit: 100, windowSeconds: 21_600 };
      await world.pull("library/one", "1.0");
    });

    async function upstreamRow(name = "docker.io") {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/#/now`);
      const row = page.locator(".upstreams > li", { hasText: name });
      return { page, faults, row };
    }

    test("a person sees how many pulls are left there", async () => {
      const { page, faults, row } = await upstreamRow();
      await row.getByText(/answers in \d+/).waitFor();
      await row.getByText(/9\d of 100 pulls left; all back by .+, in 5 h 59 min/).waitFor();
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("nothing good is said of one that nobody has asked", async () => {
      const { page, faults, row } = await upstreamRow("ghcr.io");
      await row.getByText("not asked lately").waitFor();
      expect(await row.locator(".dot.good").count()).toBe(0);
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("a person sees that it was set offline", async () => {
      const { page, faults, row } = await upstreamRow();
      await setOffline(true);
      await row.getByText("set offline").waitFor();
      await row.getByText(/what is stored is served/).waitFor();
      await setOffline(false);
      await row.locator(".dot.good").waitFor();
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("a person sees that it does not work, why, and when it is asked again", async () => {
      const { page, faults, row } = await upstreamRow();
      await row.locator(".dot.good").waitFor();
      await world.line.away("refused");
      await expect.poll(() => tried("library/unknown", row.getByText("does not work"))).toBe(true);
      await row.getByText(/It is asked again in \d+/).waitFor();
      expect((await row.innerText()).length).toBeGreaterThan(60);
      await page.context().close();
      expect(faults).toEqual([]);
    });

    async function setOffline(offline: boolean) {
      const answer = await fetch(`${world.granary.admin}/api/v1/offline`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ offline, upstream: "docker.io" }),
      });
      expect(answer.status).toBe(200);
    }

    async function tried(repository: string, shown: ReturnType<Page["getByText"]>) {
      await world.pull(repository, "1.0").catch(() => 0);
      return await shown.isVisible();
    }
  });
});

/** Whether anything is painted above the bar of a map, on it, and below it. */
function paintedRows(page: Page) {
  return page
    .locator("canvas.blob-map")
    .first()
    .evaluate((element) => {
      const { width, height } = element as HTMLCanvasElement;
      const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
      context?.drawImage(element as HTMLCanvasElement, 0, 0);
      const isPainted = (y: number) =>
        context?.getImageData(0, y, width, 1).data.some((value) => value > 0) === true;
      return { above: isPainted(2), bar: isPainted(Math.floor(height / 2)), below: isPainted(height - 3) };
    });
}
