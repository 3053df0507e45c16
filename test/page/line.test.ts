/** Shows what a person does with the line: offline while a client pulls, and bandwidth that holds; each by mouse and by keyboard. */
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { HANDS, type Hand, Person } from "./support/person.ts";
import { startWorld, type World } from "./support/world.ts";

const MIB = 2 ** 20;

describeWith(["chromium"], "the line", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, {
      line: { rate: 4_000_000, delayMs: 20 },
      sections: { bandwidth: { hours: [{ from: "01:00", to: "05:30", total: "unlimited" }] } },
    });
    browser = await startBrowser(cleanup);
    world.add("org/here", "1", [0.1], 1);
    await world.pull("org/here", "1");
  });
  afterAll(() => cleanup.disposeAsync());

  async function opened(hand: Hand) {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/jobs?part=line`);
    await page.getByRole("heading", { name: "Offline" }).waitFor();
    return { page, faults, person: new Person(page, hand) };
  }
  const ask = async <T>(path: string) => (await (await fetch(world.granary.admin + path)).json()) as T;
  const present = async () => {
    const { fills } = await ask<{ fills: { present: number }[] }>("/api/v1/status");
    return Math.max(0, ...fills.map((fill) => fill.present));
  };
  const isOffline = async () => (await ask<{ offline: unknown[] }>("/api/v1/offline")).offline.length > 0;

  for (const [index, hand] of HANDS.entries()) {
    test(`a person sets an upstream offline by ${hand} while a client pulls, and that pull goes on afterwards`, async () => {
      const repository = `org/pulled-${hand}`;
      world.add(repository, "1", [12], 20 + index);
      const { page, faults, person } = await opened(hand);
      const pulled = world.pull(repository, "1");
      await expect.poll(present).toBeGreaterThan(MIB);
      const row = page
        .getByRole("list", { name: "Upstreams" })
        .getByRole("listitem")
        .filter({ hasText: "docker.io" });
      await person.press(row.getByRole("button", { name: /Set offline/ }));
      await expect.poll(() => person.offered()).toBe("granary offline on docker.io");
      expect(await isOffline()).toBe(false);
      await person.agree("Set offline");
      await row.getByText("offline", { exact: true }).waitFor();
      expect(await isOffline()).toBe(true);
      expect(await world.pull("org/here", "1")).toBeGreaterThan(100_000);
      await expect(world.pull("org/absent", "1")).rejects.toThrow();
      await person.press(row.getByRole("button", { name: /Use again/ }));
      await expect.poll(() => person.offered()).toBe("granary offline off docker.io");
      await person.agree("Use again");
      expect(await pulled).toBeGreaterThan(12 * MIB);
      expect(await isOffline()).toBe(false);
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test(`a person limits the line for a while by ${hand}: no more crosses it, until that is taken back`, async () => {
      const repository = `org/slow-${hand}`;
      world.add(repository, "1", [4], 30 + index);
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel("At most"), "500");
      await person.choose(page.getByRole("combobox", { name: "Unit" }), "kB/s");
      await person.choose(page.getByRole("combobox", { name: "From" }), "docker.io");
      await person.choose(page.getByRole("combobox", { name: "For", exact: true }), "30 minutes");
      await person.press(page.getByRole("button", { name: "Limit", exact: true }));
      await page
        .getByRole("dialog")
        .getByText(/docker\.io: at most 500 kB\/s/)
        .waitFor();
      expect(await person.offered()).toBe("granary bandwidth 500kB/s docker.io --for 30m");
      await person.agree("Limit");
      await page
        .getByRole("list", { name: "Limits that a person set" })
        .getByText("at most 500 kB/s")
        .waitFor();

      const begun = { at: performance.now(), carried: world.line.account.carried };
      const pulled = world.pull(repository, "1");
      await expect.poll(present).toBeGreaterThan(1.5 * MIB);
      const seconds = (performance.now() - begun.at) / 1000;
      // What fits into one second at once, and what lies on its way.
      expect((world.line.account.carried - begun.carried) / (seconds + 1.5)).toBeLessThan(600_000);
      await page.getByText(/docker\.io \d.* now/).waitFor();
      await person.press(page.getByRole("button", { name: "Take back the limit of docker.io" }));
      await expect.poll(() => person.offered()).toBe("granary bandwidth off docker.io");
      await person.agree("Take back");
      await page.getByRole("list", { name: "Limits that a person set" }).waitFor({ state: "detached" });
      expect(await ask("/api/v1/bandwidth")).toMatchObject({ temporary: [] });
      expect(await pulled).toBeGreaterThan(4 * MIB);
      await person.press(page.getByRole("button", { name: "Undo" }));
      await expect
        .poll(() => ask("/api/v1/bandwidth"))
        .toMatchObject({ upstreams: { "docker.io": 500_000 } });
      await fetch(`${world.granary.admin}/api/v1/bandwidth`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ limit: "off" }),
      });
      await page.context().close();
      expect(faults).toEqual([]);
    });
  }

  test("the hours of the settings are shown, with the lines for others", async () => {
    const { page, faults } = await opened("mouse");
    await page.getByRole("list", { name: "Hours" }).getByText("01:00 to 05:30").waitFor();
    await page.getByRole("list", { name: "Hours" }).getByText("all together no limit").waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await page.context().close();
    expect(faults).toEqual([]);
  });
});
