/** Shows that each view opens in both colour schemes: nothing on the console, nothing failed, nobody else asked, nothing that axe calls serious. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

const VIEWS = [
  "now",
  "contents",
  "show?reference=alpine",
  "history",
  "setup",
  "jobs",
  "jobs?part=rules",
  "jobs?part=line",
  "jobs?part=disk",
  "trouble",
];

describeWith(["chromium"], "the page", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup);
    browser = await startBrowser(cleanup);
    world.add("library/alpine", "latest", [1, 2]);
    await world.pull("library/alpine", "latest");
  });
  afterAll(() => cleanup.disposeAsync());

  for (const colorScheme of ["light", "dark"] as const)
    for (const view of VIEWS)
      test(`opens "${view}" in the ${colorScheme} scheme`, async () => {
        const { page, faults } = await watchedPage(browser, world.granary.admin, { colorScheme });
        await page.goto(`${world.granary.admin}/#/${view}`);
        await page.locator(".live .good").waitFor();
        await expect.poll(() => page.locator("[aria-busy]").count()).toBe(0);
        expect(await seriousFindings(page)).toEqual([]);
        await page.context().close();
        expect(faults).toEqual([]);
      });
});
