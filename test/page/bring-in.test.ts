/** Shows what a person does with jobs and warm-ups: bringing in, watching, stopping, looking at what came of it; each by mouse and by keyboard. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { HANDS, Person } from "./support/person.ts";
import { startWorld, type World } from "./support/world.ts";

type Job = { id: number; state: string; title: string; result?: { counts: Record<string, number> } };

describeWith(["chromium"], "jobs and warm-ups", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, {
      sections: { warm: { night: { references: ["org/night:1"], schedule: "0 3 * * *" } } },
    });
    browser = await startBrowser(cleanup);
    world.add("org/night", "1", [1], 50);
  });
  afterAll(() => cleanup.disposeAsync());

  const ask = async <T>(path: string) => (await (await fetch(world.granary.admin + path)).json()) as T;
  const jobOf = async (title: string) => {
    const { items } = await ask<{ items: Job[] }>("/api/v1/jobs");
    const found = items.find((job) => job.title.includes(title));
    return found === undefined ? undefined : await ask<Job>(`/api/v1/jobs/${found.id}`);
  };

  async function opened(hand: (typeof HANDS)[number]) {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/jobs`);
    await page.getByRole("heading", { name: "Bring something in" }).waitFor();
    return { page, faults, person: new Person(page, hand) };
  }
  const row = (page: Page, text: string) =>
    page.getByRole("list", { name: "Jobs" }).getByRole("listitem").filter({ hasText: text }).first();

  for (const [index, hand] of HANDS.entries()) {
    const seed = (index + 1) * 100;
    test(`a person brings in a pasted list by ${hand}, and sees first what it costs`, async () => {
      const [one, two] = [`org/one-${hand}`, `org/two-${hand}`];
      world.add(one, "1", [1], seed);
      world.add(two, "1", [1], seed + 1);
      world.registry.settings.rateLimit = { limit: 100, windowSeconds: 21_600 };
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel("Images and models, one a line"), `${one}:1 # first\n${two}:1`);
      await person.write(page.getByLabel("Platforms"), "linux/amd64");
      await person.press(page.getByRole("button", { name: "Bring in", exact: true }));
      const dialog = page.getByRole("dialog");
      await dialog.getByText("2.10 MB to fetch").waitFor();
      await dialog.getByText(/counts each manifest that is fetched as a pull: \d+ of 100 are left/).waitFor();
      expect(await person.offered()).toBe(
        `granary warm --file - --platform linux/amd64 <<'END'\n${one}:1 # first\n${two}:1\nEND`,
      );
      expect(await seriousFindings(page)).toEqual([]);
      expect(await jobOf(one)).toBeUndefined();
      await person.agree("Bring it in");
      await row(page, one).getByText("done", { exact: true }).waitFor();
      await person.press(row(page, one).getByRole("button", { name: /^More/ }));
      await row(page, one).getByText("2 names brought in with 2.10 MB").waitFor();
      await row(page, one)
        .getByText(`granary warm ${one}:1 ${two}:1 --platform linux/amd64`, { exact: true })
        .waitFor();
      expect(await seriousFindings(page)).toEqual([]);
      expect((await jobOf(one))?.result?.counts).toEqual({ here: 0, brought: 2, failed: 0 });
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test(`a person watches a warm-up on the slow line and stops it by ${hand}`, async () => {
      const name = `org/large-${hand}`;
      world.add(name, "1", [60], seed + 2);
      world.line.set({ rate: 1_500_000 });
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel("Images and models, one a line"), `${name}:1`);
      await person.press(page.getByRole("button", { name: "Bring in", exact: true }));
      await page.getByRole("dialog").getByText("62.9 MB to fetch").waitFor();
      await person.agree("Bring it in");
      const job = row(page, name);
      await job.getByText(/ of 62\.9 MB · .*\/s, .* left/).waitFor();
      await expect.poll(() => job.getByRole("progressbar").getAttribute("aria-valuenow")).not.toBe("0");
      await person.press(job.getByRole("button", { name: /^Stop/ }));
      await page.getByRole("dialog").getByText("What has come by now stays.").waitFor();
      expect((await jobOf(name))?.state).toBe("running");
      await person.agree("Stop it");
      await job.getByText("stopped", { exact: true }).waitFor();
      expect((await jobOf(name))?.state).toBe("stopped");
      world.line.set({ rate: 6_000_000 });
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test(`a person runs a warm-up of the settings now by ${hand}, and sees when it comes next`, async () => {
      const { page, faults, person } = await opened(hand);
      const night = page
        .getByRole("list", { name: "Warm-ups" })
        .getByRole("listitem")
        .filter({ hasText: "night" });
      await night.getByText(/Next (today|tomorrow|in).* · every day at 03:00/).waitFor();
      await person.press(night.getByRole("button", { name: /Bring in now/ }));
      expect(await person.offered()).toBe("granary warm --list night");
      const before = (await ask<{ items: Job[] }>("/api/v1/jobs")).items.length;
      await person.agree("Bring it in");
      await expect
        .poll(async () => (await ask<{ items: Job[] }>("/api/v1/jobs")).items.length)
        .toBe(before + 1);
      await night.getByText("done", { exact: true }).waitFor();
      await person.press(night.getByRole("button", { name: /What came/ }));
      await night.getByText("org/night:1", { exact: false }).last().waitFor();
      expect((await jobOf("night"))?.state).toBe("done");
      await page.context().close();
      expect(faults).toEqual([]);
    });
  }

  test("a job of which something failed does not look as if all was well", async () => {
    world.add("org/there", "1", [0.1], 900);
    const { page, faults, person } = await opened("mouse");
    await person.write(page.getByLabel("Images and models, one a line"), "org/there:1\norg/nowhere:1");
    await person.press(page.getByRole("button", { name: "Bring in", exact: true }));
    await page.getByRole("dialog").getByText("1 line cannot be brought in; the others can.").waitFor();
    await person.agree("Bring it in");
    await row(page, "org/nowhere").getByText("done, 1 failed", { exact: true }).waitFor();
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("what cannot be brought in is said in its dialog, and nothing else changes", async () => {
    const { page, faults, person } = await opened("mouse");
    const before = (await ask<{ items: Job[] }>("/api/v1/jobs")).items.length;
    await person.write(page.getByLabel("Images and models, one a line"), "alpine\nnot a name");
    await person.press(page.getByRole("button", { name: "Bring in", exact: true }));
    await page
      .getByRole("dialog")
      .getByText(/Line 2: /)
      .waitFor();
    expect(await page.getByRole("dialog").getByRole("button", { name: "Bring it in" }).isDisabled()).toBe(
      true,
    );
    await person.agree("Cancel");
    expect((await ask<{ items: Job[] }>("/api/v1/jobs")).items.length).toBe(before);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("the lines for the settings are offered to who wants a list again and again", async () => {
    const { page, faults, person } = await opened("keyboard");
    await person.write(page.getByLabel("Images and models, one a line"), "org/night:1");
    await person.press(page.getByText("Bring it in again and again"));
    expect(await page.locator("details[open] pre").innerText()).toBe(
      'warm:\n  base:\n    references:\n      - org/night:1\n    schedule: "0 3 * * *"',
    );
    await page.context().close();
    expect(faults).toEqual([]);
  });
});
