/**
 * Shows how the dialog of a change behaves, whichever change it is: where the focus goes, what keys do, that nothing is done twice or unseen, and
 * what it says when it is refused or the server goes away. And the sentence after it, with its way back.
 */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

describeWith(["chromium"], "the dialog of a change", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup);
    browser = await startBrowser(cleanup);
    for (const [place, name] of ["a", "b", "c", "d", "e"].entries()) {
      world.add(`org/${name}`, "1", [0.1], place * 10 + 1);
      await world.pull(`org/${name}`, "1");
    }
  });
  afterAll(() => cleanup.disposeAsync());

  const open = async (options: BrowserContextOptions = {}, address = "contents?sort=name") => {
    const { page, faults } = await watchedPage(browser, world.granary.admin, options);
    await page.goto(`${world.granary.admin}/#/${address}`);
    const end = async () => {
      await page.context().close();
      expect(faults).toEqual([]);
    };
    return { page, faults, end };
  };
  const dialog = (page: Page) => page.getByRole("dialog");
  const remove = (page: Page, name: string) =>
    page.getByRole("button", { name: `Remove org/${name}`, exact: true });
  const submit = (page: Page) => dialog(page).getByRole("button", { name: "Remove", exact: true });
  const gone = (page: Page) => dialog(page).waitFor({ state: "detached" });
  const focused = (page: Page) => page.evaluate(() => document.activeElement?.textContent?.trim() ?? "");
  const isInside = (page: Page) => page.evaluate(() => document.activeElement?.closest("dialog") !== null);
  const isStored = async (name: string) => {
    const answer = await fetch(`${world.granary.admin}/api/v1/contents?search=org/${name}`);
    return ((await answer.json()) as { count: number }).count === 1;
  };

  test("takes the focus, keeps it while it is open, and gives it back when it is left by Escape or Cancel", async () => {
    const { page, end } = await open();
    await remove(page, "a").focus();
    await page.keyboard.press("Enter");
    await dialog(page).getByText("come free").waitFor();
    expect(await focused(page)).toBe("Remove org/a");
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await seriousFindings(page)).toEqual([]);
    }
    for (const key of ["Tab", "Shift+Tab"])
      for (let times = 0; times < 8; times += 1) {
        await page.keyboard.press(key);
        expect(await isInside(page)).toBe(true);
      }
    await page.keyboard.press("Escape");
    await gone(page);
    expect(await focused(page)).toBe("Remove org/a");
    await page.keyboard.press("Enter");
    await dialog(page).getByRole("button", { name: "Cancel" }).click();
    await gone(page);
    expect(await focused(page)).toBe("Remove org/a");
    expect(await isStored("a")).toBe(true);
    await end();
  });

  test("does nothing by Enter before its dry run is shown, and once after that, also when it is clicked twice", async () => {
    const { page, end } = await open();
    const shown = Promise.withResolvers<void>();
    let changes = 0;
    await page.route("**/api/v1/contents/remove**", async (route) => {
      const isTrial = route.request().url().includes("dryRun=true");
      if (!isTrial) changes += 1;
      if (isTrial) await shown.promise;
      await route.continue();
    });
    await remove(page, "b").click();
    await dialog(page).getByText("Looking what that would do").waitFor();
    for (let times = 0; times < 3; times += 1) await page.keyboard.press("Enter");
    expect(await submit(page).isDisabled()).toBe(true);
    expect(changes).toBe(0);
    shown.resolve();
    await dialog(page).getByText("come free").waitFor();
    await submit(page).dblclick();
    await page.locator(".toast").getByText("Removed org/b").waitFor();
    await gone(page);
    expect(changes).toBe(1);
    expect(await isStored("b")).toBe(false);

    await remove(page, "c").click();
    await dialog(page).getByText("come free").waitFor();
    await page.keyboard.press("Enter");
    await page.locator(".toast").getByText("Removed org/c").waitFor();
    expect(changes).toBe(2);
    await end();
  });

  test("says what contradicts it, and changes nothing", async () => {
    world.add("org/long", "1", [100], 500);
    await world.granary.ask("warm", "org/long:1", "--detach").catch(() => "");
    const begun = await fetch(`${world.granary.admin}/api/v1/warm`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ references: ["docker.io/org/long:1"] }),
    });
    const { job } = (await begun.json()) as { job: { id: number } };
    const { page, end } = await open({}, "show?reference=docker.io/org/long:1");
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await dialog(page).getByRole("alert").getByText("brings in what this would remove").waitFor();
    expect(await submit(page).isDisabled()).toBe(true);
    await page.keyboard.press("Enter");
    await page.keyboard.press("Escape");
    await gone(page);
    await fetch(`${world.granary.admin}/api/v1/jobs/${job.id}/stop`, { method: "POST" });
    await end();
  });

  test("waits when the server goes away, and asks again when it is back", async () => {
    const { page, faults, end } = await open();
    await remove(page, "d").click();
    await dialog(page).getByText("come free").waitFor();
    await world.granary.stop();
    await dialog(page).getByText("Granary does not answer. Nothing was changed").waitFor();
    expect(await submit(page).isDisabled()).toBe(true);
    await page.keyboard.press("Enter");
    await world.granary.start();
    await dialog(page).getByText("come free").waitFor();
    await submit(page).click();
    await page.locator(".toast").getByText("Removed org/d").waitFor();
    expect(await isStored("d")).toBe(false);
    // What a browser says of a server that is away is expected here, and nothing else.
    const rest = faults.filter(
      (text) => !/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_CONNECTION_RESET|ERR_EMPTY/.test(text),
    );
    expect(rest).toEqual([]);
    faults.length = 0;
    await end();
  });

  test("is within reach of a thumb on a phone", async () => {
    const { page, end } = await open({ viewport: { width: 390, height: 700 }, hasTouch: true });
    await remove(page, "e").tap();
    await dialog(page).getByText("come free").waitFor();
    const box = await submit(page).boundingBox();
    expect(box?.height).toBeGreaterThanOrEqual(44);
    expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(700);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    await dialog(page).getByRole("button", { name: "Cancel" }).tap();
    await gone(page);
    await end();
  });

  test("is followed by a sentence that stays while somebody is at it, and by Ctrl+Z it is taken back", async () => {
    const { page, end } = await open();
    await page.clock.install();
    const keep = page.getByRole("button", { name: "Keep org/e", exact: true });
    await keep.click();
    await dialog(page).getByText("never evicted").waitFor();
    await page.keyboard.press("Enter");
    const undo = page.getByRole("button", { name: "Undo" });
    await undo.focus();
    await page.clock.fastForward(60_000);
    expect(await undo.isVisible()).toBe(true);
    await page.getByRole("searchbox").focus();
    await page.clock.fastForward(40_000);
    await undo.waitFor({ state: "detached" });

    await page.getByRole("button", { name: "Do not keep org/e any more" }).click();
    await dialog(page).getByText("may be evicted again").waitFor();
    await page.keyboard.press("Enter");
    await undo.waitFor();
    await page.keyboard.press("Control+Z");
    await page.locator(".toast").getByText("Taken back.").waitFor();
    await page.clock.runFor(5_000);
    await page.getByRole("button", { name: "Do not keep org/e any more" }).waitFor();
    await end();
  });
});
