/** Shows that the page says when its server is away, keeps what it showed, and goes on by itself, whatever ended the connection. */
import type { Browser, BrowserContext, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

/** What a browser itself writes and says of a server that is away: a line for each try, and nothing else. */
const AWAY = /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

describeWith(["chromium"], "the connection of the page", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup);
    browser = await startBrowser(cleanup);
    world.add("library/alpine", "latest", [1, 1]);
    await world.pull("library/alpine", "latest");
    await world.pull("library/alpine", "latest");
  });
  afterAll(() => cleanup.disposeAsync());

  const live = (page: Page) => page.locator(".live .good").waitFor();
  const open = (page: Page, view: string) =>
    page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: view }).click();
  const isEvents = (url: string) => url.includes("/api/v1/events?");
  const nextStream = (page: Page) => page.waitForRequest((request) => isEvents(request.url()));
  /** The same page with time in our hands. */
  const withClock = async () => {
    const watched = await watchedPage(browser, world.granary.admin);
    await watched.page.clock.install();
    return watched;
  };

  test("the server is killed and comes back: the page says so, keeps what it showed, and goes on by itself", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin, {
      // Colours that are on their way from one scheme to the other are none of either.
      reducedMotion: "reduce",
    });
    const asked: string[] = [];
    await page.goto(`${world.granary.admin}/#/contents`);
    await live(page);
    await page.getByRole("link", { name: "alpine" }).waitFor();

    await world.granary.kill();
    await page.getByText("Granary does not answer.").waitFor();
    page.on("request", (request) => asked.push(new URL(request.url()).pathname));
    expect(await page.getByRole("link", { name: "alpine" }).isVisible()).toBe(true);
    await expect.poll(() => page.title()).toBe("▲ no answer – Granary");
    await page.getByText(/Next try in \d+ s|Trying now/).waitFor();
    for (const view of ["History", "Set up", "Jobs and rules", "Trouble", "Now"]) {
      await open(page, view);
      await expect.poll(() => page.title()).toContain("no answer");
      expect(await page.locator("main").getByRole("button", { name: "Try again" }).count(), view).toBe(0);
      if (view === "History")
        await page.getByText("This comes as soon as Granary answers again.").first().waitFor();
    }
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await seriousFindings(page)).toEqual([]);
    }
    await open(page, "History");

    await world.granary.start();
    await live(page);
    await expect.poll(() => page.getByText("This comes as soon as").count()).toBe(0);
    await expect.poll(() => page.locator("[aria-busy]").count()).toBe(0);
    await expect.poll(() => page.getByText("does not answer").count()).toBe(0);
    await expect.poll(() => page.title()).toBe("History – Granary");
    // Nothing but one quiet question at a time while it was away.
    const tries = asked.slice(0, asked.lastIndexOf("/api/v1/status"));
    expect(tries.filter((path) => path !== "/api/v1/status" && !path.endsWith(".svg"))).toEqual([]);
    expect(faults.filter((fault) => !AWAY.test(fault))).toEqual([]);
    await page.context().close();
  });

  test("a laptop that slept for an hour shows this second when it is opened", async () => {
    const { page, faults } = await withClock();
    await page.goto(world.granary.admin);
    await live(page);
    const again = nextStream(page);
    await page.clock.fastForward("01:00:00");
    await again;
    await live(page);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("where something on the way keeps the stream back, the numbers come all the same", async () => {
    const { page, faults } = await withClock();
    let asked = 0;
    page.on("request", (request) => (asked += Number(request.url().endsWith("/api/v1/status"))));
    await page.route("**/api/v1/events?*", () => undefined);
    const first = nextStream(page);
    await page.goto(world.granary.admin);
    await first;
    await page.clock.fastForward(11_000);
    await expect.poll(() => asked).toBeGreaterThan(2);
    await live(page);
    expect(await page.locator(".banner").count()).toBe(0);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("where all places of an address are taken, the page says so in words, and takes one as soon as it may", async () => {
    const { page, faults } = await withClock();
    const leave = new AbortController();
    const taken = await Promise.all(
      Array.from({ length: 100 }, () =>
        fetch(`${world.granary.admin}/api/v1/events`, { signal: leave.signal }),
      ),
    );
    expect(taken.filter(({ status }) => status === 200).length).toBeGreaterThan(90);
    await page.goto(world.granary.admin);
    await page.getByText("Too many listen to events from your address").waitFor();
    await live(page);
    expect(await seriousFindings(page)).toEqual([]);
    leave.abort();
    // The server hears of it a moment later than this test.
    await expect
      .poll(async () => {
        await page.clock.fastForward(31_000);
        return await page.getByText("Too many listen").count();
      })
      .toBe(0);
    await page.context().close();
    expect(faults.filter((fault) => !fault.includes("429"))).toEqual([]);
  });

  test("eight tabs of one browser all work, and another takes the place of one that is closed", async () => {
    const context: BrowserContext = await browser.newContext();
    const streams = new Map<Page, number>();
    const pages = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const page = await context.newPage();
        page.setDefaultTimeout(120_000);
        page.on("request", (request) => {
          if (isEvents(request.url())) streams.set(page, (streams.get(page) ?? 0) + 1);
        });
        await page.goto(`${world.granary.admin}/#/contents`);
        return page;
      }),
    );
    for (const page of pages) {
      await live(page);
      await page.getByRole("link", { name: "alpine" }).waitFor();
    }
    expect(streams.size).toBeGreaterThan(0);
    // Two that look at the same moment may both take the last place.
    expect(streams.size).toBeLessThanOrEqual(5);
    const others = pages.filter((page) => !streams.has(page));
    await Promise.all([...streams.keys()].map((page) => page.close()));
    await expect.poll(() => others.some((page) => streams.has(page))).toBe(true);
    await context.close();
  });

  test("a page that nobody looks at holds no connection, and is of this second when somebody does", async () => {
    const { page, faults } = await withClock();
    const hide = (isHidden: boolean) =>
      page.evaluate((value) => {
        Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
        document.dispatchEvent(new Event("visibilitychange"));
      }, isHidden);
    await page.goto(world.granary.admin);
    await live(page);
    const end = page.waitForEvent("requestfailed", (request) => isEvents(request.url()));
    await hide(true);
    await page.clock.fastForward(6_000);
    await end;
    const asking = page.waitForRequest((request) => request.url().endsWith("/api/v1/status"));
    await page.clock.fastForward(61_000);
    await asking;
    const again = nextStream(page);
    await hide(false);
    await again;
    await live(page);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("a server of another version: the page is loaded anew, and not under the hands of who types", async () => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/contents`);
    await live(page);
    await page.getByRole("searchbox").focus();
    await page.evaluate(() => Object.assign(globalThis, { isOpenedBefore: true }));
    const isOpenedBefore = () => page.evaluate(() => "isOpenedBefore" in globalThis);
    await page.route("**/api/v1/status", async (route) => {
      const answer = await route.fetch().catch(() => undefined);
      if (answer === undefined) await route.abort("connectionrefused");
      else await route.fulfill({ response: answer, json: { ...(await answer.json()), version: "9.9.9" } });
    });
    // The stream says the true version: without it the page asks.
    await page.route("**/api/v1/events?*", (route) => route.abort());
    await world.granary.stop();
    await world.granary.start();
    await page.getByText("Granary is now version 9.9.9").waitFor();
    expect(await isOpenedBefore()).toBe(true);
    await page.getByRole("button", { name: "Reload" }).click();
    await live(page);
    expect(await isOpenedBefore()).toBe(false);
    expect(await page.getByText("Granary is now version").count()).toBe(0);
    expect(new URL(page.url()).hash).toBe("#/contents");
    await page.context().close();
    expect(faults.filter((fault) => !AWAY.test(fault) && !fault.includes("ERR_FAILED"))).toEqual([]);
  });
});
