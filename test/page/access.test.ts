/** Shows who may do what on the page: who only looks is offered nothing else, whoever logs in goes on where they were, and no strange script runs. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { scratchDirectory } from "../e2e/support/scratch-directory.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

const TOKEN = "a-token-that-nobody-can-guess-by-trying";
const VIEWS = ["now", "contents", "show?reference=alpine", "history", "setup", "jobs", "trouble"];

const live = (page: Page) => page.locator(".live .good").waitFor();

/** As a person does on the login page. */
async function logIn(page: Page, token = TOKEN) {
  await page.waitForURL(/\/login(#.*)?$/);
  await page.getByLabel("Token").fill(token);
  await page.getByRole("button", { name: "Log in" }).click();
}

const hashOf = (page: Page) => new URL(page.url()).hash;

describeWith(["chromium"], "who may do what on the page", () => {
  const cleanup = new AsyncDisposableStack();
  let browser: Browser;
  let tokenFile: string;
  beforeAll(async () => {
    tokenFile = join(await scratchDirectory(cleanup, "token"), "token");
    await writeFile(tokenFile, TOKEN);
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  describe("where anyone may look", () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld(cleanup, { admin: { tokenFile, view: "anyone" } });
      world.add("library/alpine", "latest", [1]);
      await world.pull("library/alpine", "latest");
    });

    test("somebody without the token looks at every view, and is offered no change", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin, {
        // Colours that are on their way from one scheme to the other are none of either.
        reducedMotion: "reduce",
      });
      await page.goto(world.granary.admin);
      for (const view of VIEWS) {
        await page.evaluate((hash) => location.assign(hash), `#/${view}`);
        await live(page);
        await page.getByText("You may look. Log in to change things.").waitFor();
        await expect.poll(() => page.locator("[aria-busy]").count()).toBe(0);
        expect(await page.locator("[data-change]:visible").count(), view).toBe(0);
        expect(await page.getByRole("button", { name: "Log out" }).count()).toBe(0);
      }
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await seriousFindings(page)).toEqual([]);
      }
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("who logs in from there goes on in the same view, and may change things", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/#/contents?search=alpine`);
      await page.getByRole("link", { name: "Log in" }).click();
      await logIn(page);
      await page.getByRole("link", { name: "alpine" }).waitFor();
      expect(hashOf(page)).toBe("#/contents?search=alpine");
      await page.getByRole("button", { name: "Log out" }).waitFor();
      expect(await page.getByText("You may look").count()).toBe(0);
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("the token becomes another one: who was logged in may only look from then on, without a word of theirs", async () => {
      const { page } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/login?token=${TOKEN}`);
      await page.getByRole("button", { name: "Log out" }).waitFor();
      await writeFile(tokenFile, `${TOKEN}-new`);
      await world.granary.stop();
      await world.granary.start();
      await page.getByText("You may look. Log in to change things.").waitFor();
      await live(page);
      await writeFile(tokenFile, TOKEN);
      await page.context().close();
    });
  });

  describe("where a token is asked for", () => {
    let world: World;
    beforeAll(async () => {
      world = await startWorld(cleanup, { admin: { tokenFile } });
    });

    test("the link of the log leads to the page, and the button logs out", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/login?token=${TOKEN}`);
      await live(page);
      expect(page.url()).toBe(`${world.granary.admin}/`);
      await page.getByRole("button", { name: "Log out" }).click();
      await page.waitForURL("**/login");
      await page.goto(`${world.granary.admin}/`);
      await page.waitForURL("**/login");
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test("who was logged out meanwhile is led to the login page, and from there back to the view", async () => {
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/login?token=${TOKEN}`);
      await live(page);
      await page.context().clearCookies();
      await page.getByRole("navigation", { name: "Views" }).getByRole("link", { name: "History" }).click();
      await logIn(page, "wrong");
      await page.getByRole("alert").getByText("This is not the token").waitFor();
      await logIn(page);
      await live(page);
      expect(hashOf(page)).toBe("#/history");

      // Loaded again without a cookie, the server itself leads to the login page.
      await page.context().clearCookies();
      await page.reload();
      await logIn(page);
      await live(page);
      expect(hashOf(page)).toBe("#/history");
      await page.context().close();
      expect(faults.filter((fault) => !fault.includes("401"))).toEqual([]);
    });

    test("no script that stands in the page runs, nobody else is asked, and nobody may frame it", async () => {
      const { page } = await watchedPage(browser, world.granary.admin);
      await page.goto(`${world.granary.admin}/login?token=${TOKEN}`);
      await live(page);
      const refused = await page.evaluate(async (elsewhere) => {
        const violations: string[] = [];
        addEventListener("securitypolicyviolation", ({ effectiveDirective }) =>
          violations.push(effectiveDirective),
        );
        const script = document.createElement("script");
        script.textContent = "globalThis.isIn = true";
        const styled = document.createElement("p");
        styled.setAttribute("style", "color: red");
        const picture = new Image();
        picture.src = `${elsewhere}/picture.png`;
        const other = document.createElement("script");
        other.src = `${elsewhere}/script.js`;
        document.body.append(script, styled, picture, other);
        await fetch(elsewhere).catch(() => violations.push("fetch"));
        await new Promise((resolve) => setTimeout(resolve, 0));
        return { violations, isIn: "isIn" in globalThis };
      }, world.registry.url);
      expect(refused.isIn).toBe(false);
      expect(new Set(refused.violations)).toEqual(
        new Set(["script-src-elem", "style-src-attr", "img-src", "connect-src", "fetch"]),
      );
      await page.context().close();
    });
  });
});
