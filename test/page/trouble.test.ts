/**
 * Shows that whoever looks at what is wrong finds it by its cause, with what to do about it: wrong bytes, an upstream that is down, one that
 * limits, an image that may not be had, and that hundreds of failures of one cause stay one. The tests go on from each other.
 */
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "../../src/metadata/database.ts";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

describeWith(["chromium"], "trouble", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup);
    browser = await startBrowser(cleanup);
    for (const [index, name] of ["good", "bad", "busy", "secret"].entries())
      world.add(`library/${name}`, "1", [0.3, 0.2], 10 * (index + 1));
    await world.pull("library/good", "1");
  });
  afterAll(() => cleanup.disposeAsync());

  async function open(view = "trouble") {
    const watched = await watchedPage(browser, world.granary.admin);
    await watched.page.goto(`${world.granary.admin}/#/${view}`);
    await watched.page.locator(".failures header").waitFor();
    return watched;
  }

  const failed = (name: string) => expect(world.pull(`library/${name}`, "1")).rejects.toThrow();
  const group = (page: Page, cause: string) => page.locator(`[data-cause="${cause}"]`);
  const happened = (page: Page) => page.locator(".happened .rows li");

  test("all well looks well", async () => {
    const { page, faults } = await open();
    await page.getByText("All is well right now.").waitFor();
    await page.getByText("Nothing failed.").waitFor();
    await page.locator(".doctor .good, .doctor .rows > li").first().waitFor();
    await expect.poll(() => happened(page).count()).toBeGreaterThan(0);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("an image that may not be had, wrong bytes, and a limit show up as they happen, each with what to do", async () => {
    const { page, faults } = await open();
    world.registry.fail(/secret\/manifests/, { kind: "status", status: 403 }, { times: 100 });
    await failed("secret");
    await group(page, "denied").waitFor();
    expect(await group(page, "denied").innerText()).toMatch(
      /docker\.io does not allow it[\s\S]*1 pull[\s\S]*may not read this: use one that may/,
    );

    world.registry.fail(/bad\/blobs|sha256/, { kind: "flip", offset: 5 }, { times: 100 });
    await failed("bad");
    await group(page, "digest-mismatch").waitFor();
    expect(await group(page, "digest-mismatch").innerText()).toMatch(
      /docker\.io sent wrong bytes[\s\S]*neither kept nor served as whole/,
    );

    world.registry.fail(/busy\/manifests/, { kind: "rate-limited", retryAfter: "600" }, { times: 100 });
    await failed("busy");
    await group(page, "rate-limited").waitFor();
    expect(await group(page, "rate-limited").innerText()).toMatch(
      /docker\.io limits how much may be asked[\s\S]*Give Granary a login at docker\.io/,
    );
    await group(page, "rate-limited").locator("summary").click();
    await expect
      .poll(() => group(page, "rate-limited").locator("li").first().innerText())
      .toMatch(/busy|docker\.io/);
    expect(await seriousFindings(page)).toEqual([]);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("an upstream that is down is wrong right now, the doctor says so, and both are over when it is back", async () => {
    world.registry.faults.length = 0;
    const { page, faults } = await open();
    const looked = page.getByRole("button", { name: "Look again" });
    await looked.waitFor();
    await world.line.away();
    for (let times = 0; times < 6 && (await page.locator(".banner.bad").count()) === 0; times += 1)
      await failed(`gone-${times}`);
    await group(page, "upstream-unavailable").waitFor();
    expect(await group(page, "upstream-unavailable").innerText()).toMatch(
      /docker\.io cannot be reached[\s\S]*network, the firewall and the proxy/,
    );
    await looked.focus();
    await page.keyboard.press("Enter");
    await page.locator(".doctor .rows > li", { hasText: "docker.io" }).first().waitFor();
    await world.line.back();
    await expect
      .poll(async () => {
        await world.pull("library/good", "1").catch(() => undefined);
        await world.pull("library/new", "1").catch(() => undefined);
        return await group(page, "upstream-unavailable").innerText();
      })
      .toMatch(/over since/);
    // The other failures of this hour are not over.
    await page.getByText("Granary works, but something failed in the last hour.").waitFor();
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("by keyboard a person looks at the failed pulls alone, and a new one comes in on top", async () => {
    const { page, faults } = await open();
    const which = page.getByLabel("Which events");
    await which.focus();
    await page.keyboard.type("pulls that failed");
    await expect.poll(() => which.inputValue()).toBe("pull-failed");
    await expect.poll(() => page.locator('.happened li:not([data-kind="pull-failed"])').count()).toBe(0);
    await page.getByText("granary events --follow --kind pull-failed").first().waitFor();
    await failed("unheard-of");
    await expect.poll(() => happened(page).first().innerText()).toContain("unheard-of");
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("three hundred failures of one cause are one card, and long words wrap", async () => {
    await world.granary.stop();
    await writeFailures(join(dirname(world.granary.config), "data/granary.db"), 300);
    await world.granary.start();
    const { page, faults } = await open();
    await page.setViewportSize({ width: 390, height: 844 });
    const card = group(page, "manifest-invalid");
    await card.waitFor();
    expect(await card.innerText()).toMatch(/300 pulls/);
    await card.getByText("The last 5 of 300").click();
    await expect.poll(() => card.locator("li").count()).toBe(5);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    expect(await happened(page).count()).toBe(30);
    await page.getByRole("button", { name: "Show older" }).click();
    await expect.poll(() => happened(page).count()).toBe(120);
    await page.context().close();
    expect(faults).toEqual([]);
  });
});

async function writeFailures(database: string, count: number): Promise<void> {
  const { records, close } = openDatabase(database);
  const from = records.lastIds().event + 1;
  const events = Array.from({ length: count }, (_, index) => ({
    ...{ id: from + index, at: Date.now() - 1_000, kind: "pull-failed", client: "192.0.2.1" },
    text: `docker could not pull docker.io/library/${"x".repeat(120)}:1: no manifest of it can be used`,
    facts: JSON.stringify({
      upstream: "docker.io",
      repository: "library/x",
      agent: "docker",
      code: "manifest-invalid",
    }),
  }));
  records.write({ events, pulls: [], traffic: [], endedUpTo: 0 });
  await close();
}
