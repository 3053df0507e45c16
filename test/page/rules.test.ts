/** Shows what a person does with rules: keep, allow and deny, and the settings read again; each by mouse and by keyboard. */
import { readFile, writeFile } from "node:fs/promises";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { HANDS, type Hand, Person } from "./support/person.ts";
import { startWorld, type World } from "./support/world.ts";

describeWith(["chromium"], "rules", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, {
      upstreams: { "docker.io": { deny: ["org/never"] } },
      sections: { keep: ["org/settings:1.*"] },
    });
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  async function opened(hand: Hand) {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/jobs?part=rules`);
    await page.getByRole("heading", { name: "Kept" }).waitFor();
    return { page, faults, person: new Person(page, hand) };
  }
  const texts = async (path: string, key: "rules" | "items") => {
    const answer = await fetch(world.granary.admin + path);
    const body = (await answer.json()) as Record<string, { pattern: string }[]>;
    return (body[key] ?? []).map(({ pattern }) => pattern);
  };
  const kept = () => texts("/api/v1/keep", "rules");
  const rules = () => texts("/api/v1/rules", "items");

  for (const hand of HANDS) {
    test(`a person keeps what a pattern stands for by ${hand}, takes it back, and has it back`, async () => {
      const name = `docker.io/org/kept-${hand}`;
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel("Keep what this stands for"), `org/kept-${hand}`);
      await person.press(page.getByRole("button", { name: "Keep", exact: true }));
      await expect.poll(() => person.offered()).toBe(`granary keep org/kept-${hand}`);
      expect(await kept()).not.toContain(name);
      await person.agree("Keep");
      await expect.poll(kept).toContain(name);
      await person.press(page.getByRole("button", { name: `Take back ${name}` }));
      await expect.poll(() => person.offered()).toBe(`granary unkeep ${name}`);
      await person.agree("Take the rule back");
      await expect.poll(kept).not.toContain(name);
      await person.press(page.getByRole("button", { name: "Undo" }));
      await expect.poll(kept).toContain(name);
      await page.getByRole("button", { name: `Take back ${name}` }).waitFor();
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test(`a person denies an image by ${hand}, sees which stored names that refuses, and takes it back`, async () => {
      const repository = `org/denied-${hand}`;
      const rule = `docker.io/${repository}`;
      world.add(repository, "1", [0.1], 7);
      await world.pull(repository, "1");
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel("Name pattern"), repository);
      await person.press(page.getByRole("button", { name: "Add", exact: true }));
      await page.getByRole("dialog").getByText(`${rule}:1`).waitFor();
      expect(await person.offered()).toBe(`granary deny ${repository}`);
      await world.pull(repository, "1");
      await person.agree("Deny");
      await expect.poll(rules).toContain(rule);
      await expect(world.pull(repository, "1")).rejects.toThrow();
      await person.press(page.getByRole("button", { name: "Undo" }));
      await expect.poll(rules).not.toContain(rule);
      await world.pull(repository, "1");

      await person.choose(page.getByRole("combobox", { name: "Rule", exact: true }), "Allow only");
      await person.write(page.getByLabel("Name pattern"), repository);
      await person.press(page.getByRole("button", { name: "Add", exact: true }));
      await page
        .getByRole("dialog")
        .getByText("Of docker.io nothing passes any more but what is allowed.")
        .waitFor();
      await person.agree("Allow");
      await expect.poll(rules).toContain(rule);
      await person.press(page.getByRole("button", { name: `Take back allow ${rule}` }));
      await expect.poll(() => person.offered()).toBe(`granary allow ${rule} --remove`);
      await person.agree("Take the rule back");
      await expect.poll(rules).not.toContain(rule);
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test(`a person has the settings read again by ${hand}; bad ones change nothing and say why`, async () => {
      const { config } = world.granary;
      const before = await readFile(config, "utf8");
      const settings = parse(before) as { keep: string[] };
      const { page, faults, person } = await opened(hand);
      const reload = page.getByRole("button", { name: "Read the settings again" });
      await writeFile(config, stringify({ ...settings, keep: 5 }));
      await person.press(reload);
      await page.getByRole("dialog").getByRole("alert").filter({ hasText: "keep" }).waitFor();
      expect(await page.getByRole("dialog").getByRole("button", { name: "Use them" }).isDisabled()).toBe(
        true,
      );
      await person.agree("Cancel");
      await writeFile(config, stringify({ ...settings, keep: [...settings.keep, `org/more-${hand}`] }));
      await person.press(reload);
      await page.getByRole("dialog").getByText("In use at once").waitFor();
      expect(await person.offered()).toBe("granary reload");
      expect(await kept()).not.toContain(`docker.io/org/more-${hand}`);
      await person.agree("Use them");
      await expect.poll(kept).toContain(`docker.io/org/more-${hand}`);
      await page.getByRole("list", { name: "Keep rules" }).getByText(`org/more-${hand}`).waitFor();
      await writeFile(config, before);
      await page.context().close();
      expect(faults).toEqual([]);
    });
  }

  test("rules of the settings are shown as such, and cannot be taken back here", async () => {
    const { page, faults } = await opened("mouse");
    const ofSettings = (list: string, pattern: string) =>
      page.getByRole("list", { name: list }).getByRole("listitem").filter({ hasText: pattern });
    for (const row of [
      ofSettings("Keep rules", "org/settings:1.*"),
      ofSettings("Rules that allow and deny", "org/never"),
    ]) {
      await row.getByText("from the settings").waitFor();
      expect(await row.getByRole("button").count()).toBe(0);
    }
    expect(await seriousFindings(page)).toEqual([]);
    await page.getByText("Let what is new wait first").click();
    expect(await page.locator("details[open] pre").innerText()).toBe(
      "upstreams:\n  docker.io:\n    cooldown: 3d",
    );
    await page.context().close();
    expect(faults).toEqual([]);
  });
});
