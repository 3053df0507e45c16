/** Shows that each view of the page fits: in a narrow and a wide window, enlarged twice, under a finger, on paper, and in forced colours. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { startBrowser } from "./support/browser.ts";
import { misfits } from "./support/fitting.ts";
import { type Lab, startLab } from "./support/lab.ts";
import { lookingPage, openView, pictureOf, VIEWS } from "./support/pictures.ts";

/** 320 is a phone, or 1280 enlarged four times; 640 is 1280 enlarged twice. */
const WIDTHS = [320, 390, 640, 800, 1024, 1920];
/** CSS pixels (https://www.w3.org/TR/WCAG22/#target-size-minimum). */
const SMALLEST_TARGET = 24;
const FINGER = 44;
const PNG = "89504e470d0a1a0a";

describeWith(["chromium"], "the page", () => {
  const cleanup = new AsyncDisposableStack();
  let lab: Lab;
  let browser: Browser;
  beforeAll(async () => {
    lab = await startLab(cleanup, { scale: 0.02, network: "127.0.0" });
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  async function atWidth(page: Page, width: number): Promise<void> {
    await page.setViewportSize({ width, height: 900 });
    // Charts follow the width of the window in the next frames.
    await page.evaluate(
      () => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    );
  }

  for (const [name, view] of Object.entries(VIEWS))
    test(`shows "${name}" whole in every window, without a way to the side`, async () => {
      const page = await lookingPage(browser, { width: 1_920, colorScheme: "light" });
      await openView(page, lab.granary.admin, view);
      for (const width of WIDTHS) {
        await atWidth(page, width);
        expect(await misfits(page, SMALLEST_TARGET), `${width} pixels`).toEqual([]);
      }
      expect((await pictureOf(page)).subarray(0, 8).toString("hex")).toBe(PNG);
      await page.context().close();
    });

  test("gives a finger room on a phone", async () => {
    const more = { hasTouch: true, isMobile: true };
    const page = await lookingPage(browser, { width: 390, colorScheme: "dark", more });
    await openView(page, lab.granary.admin, VIEWS.contents);
    const names = page.locator(".views a");
    for (const each of await names.all()) {
      const { width = 0, height = 0 } = (await each.boundingBox()) ?? {};
      expect(Math.min(width, height), await each.innerText()).toBeGreaterThanOrEqual(FINGER);
    }
    const keep = page.locator("main table button").first();
    expect((await keep.boundingBox())?.height).toBeGreaterThanOrEqual(FINGER);
    await page.context().close();
  });

  test("keeps what has the focus above the names of the views on a phone", async () => {
    const page = await lookingPage(browser, { width: 390, colorScheme: "light" });
    await openView(page, lab.granary.admin, VIEWS.contents);
    const last = page.locator("main table a").last();
    await page.evaluate(() => scrollTo(0, 0));
    await last.focus();
    const [link, names] = [await last.boundingBox(), await page.locator(".views").boundingBox()];
    expect((link?.y ?? 0) + (link?.height ?? 0)).toBeLessThanOrEqual(names?.y ?? 0);
    await page.context().close();
  });

  test("still says by colours what colours say when a person forces their own", async () => {
    const page = await lookingPage(browser, { width: 1_024, colorScheme: "dark" });
    await page.emulateMedia({ forcedColors: "active", colorScheme: "dark" });
    await openView(page, lab.granary.admin, VIEWS.now);
    const colourOf = (selector: string) =>
      page
        .locator(selector)
        .first()
        .evaluate((element) => getComputedStyle(element).backgroundColor);
    const ground = await colourOf("body");
    for (const mark of [".live .dot", ".meter i", ".legend i"])
      expect(await colourOf(mark), mark).not.toBe(ground);
    await page.context().close();
  });

  test("prints what it shows, without what can be pressed", async () => {
    const page = await lookingPage(browser, { width: 1_024, colorScheme: "dark" });
    await openView(page, lab.granary.admin, VIEWS.contents);
    // A sheet of A4 between its margins.
    await page.emulateMedia({ media: "print" });
    await atWidth(page, 700);
    expect(await page.locator("table").isVisible()).toBe(true);
    expect(await page.locator(".views, main button").filter({ visible: true }).count()).toBe(0);
    expect(await misfits(page, 0)).toEqual([]);
    const text = await page
      .locator("td")
      .first()
      .evaluate((cell) => getComputedStyle(cell).color);
    expect(text, "dark text also from the dark scheme").toMatch(/rgb\(\d\d, \d\d, \d\d\)/);
    await page.context().close();
  });
});
