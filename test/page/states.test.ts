/** Shows what each view is when it is not as usual: nothing there yet, still coming, failed, or impossible to draw; and the frame for who uses no mouse. */
import type { Browser, Page, Route } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

const VIEWS = ["now", "contents", "history", "setup", "jobs", "trouble"];
const SCHEMES = ["light", "dark"] as const;
const NAMES = { name: "Views" } as const;

/** What one question of each view is, whose failure leaves the rest. */
const QUESTIONS: readonly (readonly [string, RegExp])[] = [
  ["contents", /\/api\/v1\/contents(\?|$)/],
  ["history", /\/api\/v1\/traffic\?/],
  ["setup", /\/api\/v1\/setup$/],
  ["jobs", /\/api\/v1\/jobs(\?|$)/],
  ["trouble", /\/api\/v1\/(events\/past\?limit=300|doctor)/],
  ["show?reference=alpine", /\/api\/v1\/contents\/show/],
];

/** All that a view asks by itself. */
const OF_VIEWS = /\/api\/v1\/(?!events|status|access)/;

const live = (page: Page) => page.locator(".live .good").waitFor();
const settled = (page: Page) => expect.poll(() => page.locator("[aria-busy=true]").count()).toBe(0);
const open = (page: Page, view: string) => page.evaluate((hash) => location.assign(hash), `#/${view}`);

/** The levels of the headings in their order; a view has one first, and none is left out. */
async function headingFaults(page: Page): Promise<string[]> {
  const levels = await page
    .locator("h1, h2, h3, h4")
    .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])));
  const skipped = levels.filter((level, index) => level > (levels[index - 1] ?? 0) + 1);
  const first = levels.filter((level) => level === 1).length;
  return [
    ...(first === 1 ? [] : [`${first} first headings`]),
    ...skipped.map((level) => `h${level} after a gap`),
  ];
}

describeWith(["chromium"], "a state of the page", () => {
  const cleanup = new AsyncDisposableStack();
  let fresh: World;
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    [fresh, world, browser] = await Promise.all([
      startWorld(cleanup),
      startWorld(cleanup),
      startBrowser(cleanup),
    ]);
    world.add("library/alpine", "latest", [1]);
    await world.pull("library/alpine", "latest");
  });
  afterAll(() => cleanup.disposeAsync());

  test("empty: a Granary that nobody used yet says in every view what there will be, and leads to the first step", async () => {
    const { page, faults } = await watchedPage(browser, fresh.granary.admin, {
      // Colours that are on their way from one scheme to the other are none of either.
      reducedMotion: "reduce",
    });
    await page.goto(fresh.granary.admin);
    await live(page);
    for (const view of VIEWS) {
      await open(page, view);
      await settled(page);
      expect(await headingFaults(page), view).toEqual([]);
      if (view === "now" || view === "contents")
        await page
          .locator("main")
          .getByRole("link", { name: /set up/i })
          .first()
          .waitFor();
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        expect(await seriousFindings(page), `${view} ${colorScheme}`).toEqual([]);
      }
    }
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("loading: what is not there yet has its place, quietly, and comes", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    const held: Route[] = [];
    let isHolding = false;
    await page.route(OF_VIEWS, async (route) => {
      if (isHolding) held.push(route);
      else await route.fallback();
    });
    await page.goto(world.granary.admin);
    await live(page);
    for (const view of VIEWS.slice(1)) {
      isHolding = true;
      await open(page, view);
      await page.locator("[aria-busy=true]").first().waitFor();
      expect(await page.getByRole("alert").count(), view).toBe(0);
      expect(await seriousFindings(page), view).toEqual([]);
      isHolding = false;
      await Promise.all(held.splice(0).map((route) => route.fallback().catch(() => undefined)));
      await settled(page);
    }
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("error: a part that fails says why and can be tried again, and the rest works", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin, { reducedMotion: "reduce" });
    await page.goto(world.granary.admin);
    await live(page);
    for (const [view, question] of QUESTIONS) {
      const fail = (route: Route) =>
        route.fulfill({
          status: 500,
          json: { error: { code: "store-damaged", message: "The disk says no." } },
        });
      await page.route(question, fail);
      await open(page, view);
      await page.getByText("The disk says no.").first().waitFor();
      for (const colorScheme of SCHEMES) {
        await page.emulateMedia({ colorScheme });
        expect(await seriousFindings(page), `${view} ${colorScheme}`).toEqual([]);
      }
      await page.unroute(question, fail);
      // One for each part that failed; another may go by itself meanwhile.
      await expect
        .poll(
          async () => {
            await page
              .getByRole("button", { name: "Try again" })
              .first()
              .click({ timeout: 1_000 })
              .catch(() => undefined);
            return await page.getByText("The disk says no.").count();
          },
          { message: view },
        )
        .toBe(0);
    }
    await page.context().close();
    expect(faults.filter((fault) => !fault.includes("500"))).toEqual([]);
  });

  test("an answer that cannot be drawn takes one view away, and no other", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    const break_ = (route: Route) => route.fulfill({ json: { items: [null], count: 1 } });
    await page.route(QUESTIONS[0]?.[1] ?? "", break_);
    await page.goto(`${world.granary.admin}/#/contents`);
    await page.getByText("This view cannot be drawn").waitFor();
    await live(page);
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByRole("navigation", NAMES).getByRole("link", { name: "History" }).click();
    await page.getByRole("heading", { name: "History", level: 1 }).waitFor();
    await page.unroute(QUESTIONS[0]?.[1] ?? "", break_);
    await page.goBack();
    await page.getByRole("link", { name: "alpine", exact: true }).waitFor();
    await page.context().close();
    // Whoever looks for the cause finds it on the console.
    expect(faults.filter((fault) => !fault.startsWith("console error: TypeError"))).toEqual([]);
  });

  test("an address of no view says so and shows what happens now", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/<script>alert(1)</script>`);
    await page.getByText("There is no view of this name.").waitFor();
    await live(page);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("without JavaScript the page says which commands tell the same", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin, { javaScriptEnabled: false });
    await page.goto(world.granary.admin);
    const said = page.locator("noscript p");
    await said.waitFor();
    expect(await said.innerHTML()).toContain("The same is in the commands: <code>granary status</code>");
    expect(await page.locator("#page").isVisible()).toBe(false);
    await page.context().close();
    // So Chromium says that it does not run them.
    expect(faults.filter((fault) => !fault.endsWith(".js csp"))).toEqual([]);
  });

  test("a browser that is too old, or gets no scripts, is not left before an empty page", async () => {
    const { page } = await watchedPage(browser, world.granary.admin);
    await page.route("**/main.js", (route) => route.abort());
    await page.goto(world.granary.admin);
    await page.getByText("a browser of the last two years").waitFor();
    await page.context().close();
  });

  test("by keyboard: past the navigation with one key, into each view, and always seen where one is", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    const focused = () => page.evaluate(() => document.activeElement?.tagName);
    const outline = () =>
      page.evaluate(() => getComputedStyle(document.activeElement ?? document.body).outlineStyle);
    for (const colorScheme of SCHEMES) {
      await page.emulateMedia({ colorScheme });
      await page.goto("about:blank");
      await page.goto(world.granary.admin);
      await live(page);
      await page.keyboard.press("Tab");
      const skip = page.getByRole("link", { name: "Skip to the content" });
      expect(await skip.evaluate((link) => link === document.activeElement)).toBe(true);
      const { width = 0 } = (await skip.boundingBox()) ?? {};
      expect(width).toBeGreaterThan(50);
      expect(await outline()).not.toBe("none");
    }
    const before = page.url();
    await page.keyboard.press("Enter");
    expect([await focused(), page.url()]).toEqual(["MAIN", before]);
    for (const [name, view] of [
      ["Contents", "contents"],
      ["Trouble", "trouble"],
    ] as const) {
      const link = page.getByRole("navigation", NAMES).getByRole("link", { name });
      await link.focus();
      await page.keyboard.press("Enter");
      await expect.poll(focused).toBe("MAIN");
      expect(new URL(page.url()).hash).toBe(`#/${view}`);
      expect(await link.getAttribute("aria-current")).toBe("page");
      expect(await page.locator('nav [aria-current="page"]').count()).toBe(1);
      await page.getByRole("main", { name }).waitFor();
    }
    expect(await page.getByRole("banner").count()).toBe(1);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("the tab of the browser tells of trouble while another one is looked at", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(world.granary.admin);
    await expect.poll(() => page.title()).toMatch(/^\d.* saved – Granary$/);
    const icon = () => page.locator("link[rel=icon]").getAttribute("href");
    expect(await icon()).toMatch(/\/icon\.svg$/);
    await page.route("**/api/v1/events?*", (route) => route.fulfill({ status: 429, json: {} }));
    await page.route("**/api/v1/status", async (route) => {
      const answer = await route.fetch();
      await route.fulfill({
        response: answer,
        json: { ...(await answer.json()), troubles: ["One.", "Two."] },
      });
    });
    await page.reload();
    await expect.poll(() => page.title()).toBe("▲ 2 troubles – Granary");
    await expect.poll(icon).toMatch(/\/icon-trouble\.svg$/);
    await page.unrouteAll({ behavior: "ignoreErrors" });
    await page.context().close();
    expect(faults.filter((fault) => !fault.includes("429"))).toEqual([]);
  });
});
