/**
 * Shows that each change to what is stored can be made by the mouse and by the keyboard alone: its dry run first, then what the server really
 * has, what a client is served, and what the page shows, without a reload.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { startBrowser, type Watched, watchedPage } from "./support/browser.ts";
import { type Hands, keyboard, mouse } from "./support/hands.ts";
import { startWorld, type World } from "./support/world.ts";

const SLOWLY = "new.test";

describeWith(["chromium"], "what a person changes by the page", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, { upstreams: { [SLOWLY]: { cooldown: "3d" } } });
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  /** An image of two small layers that a machine has pulled. */
  const pulled = async (name: string, tag: string, seed: number, upstream?: string) => {
    world.add(name, tag, [0.2, 0.1], seed);
    await world.pull(name, tag, undefined, upstream);
  };

  const open = async (address: string): Promise<Watched> => {
    const watched = await watchedPage(browser, world.granary.admin);
    await watched.page.goto(`${world.granary.admin}/#/${address}`);
    return watched;
  };

  /** What the server says that it has, by command. */
  const stored = async (pattern = "**") => {
    const { items } = JSON.parse(
      await world.granary.ask("list", "--tags", "--json", "--search", pattern),
    ) as {
      items: { repository: string; tag?: string; keptBy?: string }[];
    };
    return items;
  };

  const row = (page: Page, name: string) => page.getByRole("row").filter({ hasText: name });
  const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
  const dialog = (page: Page) => page.getByRole("dialog");
  const told = (page: Page, text: string | RegExp) => page.locator(".toast").getByText(text).waitFor();

  for (const [way, hands, seed] of [
    ["by the mouse", mouse, 1_000],
    ["by the keyboard alone", keyboard, 2_000],
  ] as const satisfies readonly (readonly [string, Hands, number])[]) {
    const own = way.replaceAll(" ", "-");

    test(`a person removes a tag ${way}, and brings it back`, async () => {
      for (const [index, tag] of ["1", "2", "3"].entries())
        await pulled(`remove/${own}`, tag, seed + index * 10);
      const { page, faults } = await open(`contents?by=tag&sort=name&search=remove/${own}`);
      await hands.press(button(page, `Remove remove/${own}:2`));
      await dialog(page).getByText("come free").waitFor();
      await dialog(page).getByText(`granary remove docker.io/remove/${own}:2`, { exact: true }).waitFor();
      expect(await stored(own)).toHaveLength(3);
      await hands.confirm(page, "Remove");
      await told(page, `Removed remove/${own}:2`);
      await row(page, `${own}:2`).waitFor({ state: "detached" });
      expect((await stored(own)).map(({ tag }) => tag)).toEqual(["1", "3"]);
      // Who works by the keyboard goes on in the next line.
      await expect
        .poll(() => page.evaluate(() => document.activeElement?.closest("tr")?.textContent))
        .toContain(`${own}:3`);
      world.registry.forgetRequests();
      await hands.press(button(page, "Bring it back"));
      await told(page, "It is being fetched from the internet again");
      await row(page, `${own}:2`).waitFor();
      expect(world.registry.count({ repository: `remove/${own}` })).toBeGreaterThan(0);
      expect(await world.pull(`remove/${own}`, "2")).toBeGreaterThan(300_000);
      await page.context().close();
      expect(faults).toEqual([]);
    });
  }
});
