/** Shows how a person lets through what is held back because it is new, by mouse and by keyboard. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { HANDS, Person } from "./support/person.ts";
import { startWorld, type World } from "./support/world.ts";

describeWith(["chromium"], "what is held back", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, { upstreams: { "docker.io": { cooldown: "2d" } } });
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  for (const [index, hand] of HANDS.entries())
    test(`is let through by a person by ${hand}, who sees first what that is`, async () => {
      const repository = `org/new-${hand}`;
      world.add(repository, "1", [0.1], 10 + index);
      await expect(world.pull(repository, "1")).rejects.toThrow();
      const { page, faults } = await watchedPage(browser, world.granary.admin);
      const person = new Person(page, hand);
      await page.goto(`${world.granary.admin}/#/jobs?part=rules`);
      const held = page
        .getByRole("list", { name: "Held back" })
        .getByRole("listitem")
        .filter({ hasText: repository });
      await held.getByText(/Passes on \w+ at \d\d:\d\d/).waitFor();
      await held.getByText(/Refused until then: sha256:[0-9a-f]{12}$/).waitFor();
      await page.getByText("What is new of docker.io waits 2 d before it passes.").waitFor();
      await person.press(held.getByRole("button", { name: /Let it through/ }));
      await expect.poll(() => person.offered()).toBe(`granary approve docker.io/${repository}:1`);
      await expect(world.pull(repository, "1")).rejects.toThrow();
      await person.agree("Let it through");
      await held.waitFor({ state: "detached" });
      expect(await world.pull(repository, "1")).toBeGreaterThan(100_000);
      await page.context().close();
      expect(faults).toEqual([]);
    });
});
