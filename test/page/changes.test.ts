/**
 * Shows that each change to what is stored can be made by the mouse and by the keyboard alone: its dry run first, then what the server really
 * has, what a client is served, and what the page shows, without a reload.
 */
import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { HANDS, type Hand, Person } from "./support/person.ts";
import { startWorld, type World } from "./support/world.ts";

const CAREFUL = "careful.test";

type Stored = { repository: string; tag?: string; digest?: string; keptBy?: string; size: number };

describeWith(["chromium"], "what a person changes by the page", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, { upstreams: { [CAREFUL]: { cooldown: "3d" } } });
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  /** An image of two small layers that a machine has pulled. */
  const pulled = async (name: string, tag: string, seed: number) => {
    world.add(name, tag, [0.2, 0.1], seed);
    await world.pull(name, tag);
  };

  const open = async (address: string, hand: Hand) => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/${address}`);
    const end = async () => {
      await page.context().close();
      expect(faults).toEqual([]);
    };
    return { page, person: new Person(page, hand), end };
  };

  /** What the server says that it has. */
  const stored = async (search: string) => {
    const query = new URLSearchParams({ by: "tag", sort: "name", search });
    const answer = await fetch(`${world.granary.admin}/api/v1/contents?${query}`);
    return ((await answer.json()) as { items: Stored[] }).items;
  };
  const tagsOf = async (search: string) => (await stored(search)).map(({ tag }) => tag);

  const row = (page: Page, name: string) => page.getByRole("row").filter({ hasText: name });
  const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });
  const dialog = (page: Page) => page.getByRole("dialog");
  const told = (page: Page, text: string | RegExp) => page.locator(".toast").getByText(text).waitFor();
  const gone = (page: Page) => dialog(page).waitFor({ state: "detached" });

  for (const [index, hand] of HANDS.entries()) {
    const seed = (index + 1) * 1_000;

    test(`a person removes a tag by ${hand}, and brings it back`, async () => {
      const name = `remove/${hand}`;
      for (const [place, tag] of ["1", "2", "3"].entries()) await pulled(name, tag, seed + place * 10);
      const { page, person, end } = await open(`contents?by=tag&sort=name&search=${name}`, hand);
      await person.press(button(page, `Remove ${name}:2`));
      await dialog(page).getByText("come free").waitFor();
      expect(await person.offered()).toBe(`granary remove docker.io/${name}:2`);
      expect(await stored(name)).toHaveLength(3);
      await person.agree("Remove");
      await told(page, `Removed ${name}:2`);
      await row(page, `${name}:2`).waitFor({ state: "detached" });
      expect(await tagsOf(name)).toEqual(["1", "3"]);
      // Who works by the keyboard goes on in the next line.
      await expect
        .poll(() => page.evaluate(() => document.activeElement?.closest("tr")?.textContent))
        .toContain(`${name}:3`);
      world.registry.forgetRequests();
      await person.press(button(page, "Bring it back"));
      await told(page, "It is being fetched from the internet again");
      await row(page, `${name}:2`).waitFor();
      expect(world.registry.count({ repository: name })).toBeGreaterThan(0);
      expect(await world.pull(name, "2")).toBeGreaterThan(300_000);
      await end();
    });

    test(`a person keeps a name by ${hand}, takes it back, and takes that back`, async () => {
      const name = `keep/${hand}`;
      await pulled(name, "1", seed + 100);
      const { page, person, end } = await open(`contents?by=tag&search=${name}`, hand);
      await person.press(button(page, `Keep ${name}:1`));
      await dialog(page).getByText("never evicted").waitFor();
      expect(await person.offered()).toBe(`granary keep docker.io/${name}:1`);
      await person.agree("Keep");
      await row(page, "kept").waitFor();
      expect((await stored(name))[0]?.keptBy).toBe(`docker.io/${name}:1`);
      await person.press(button(page, "Undo"));
      await told(page, "Taken back.");
      await button(page, `Keep ${name}:1`).waitFor();
      expect((await stored(name))[0]?.keptBy).toBeUndefined();

      await person.press(button(page, `Keep ${name}:1`));
      await person.agree("Keep");
      await person.press(button(page, `Do not keep ${name}:1 any more`));
      await dialog(page).getByText("may be evicted again").waitFor();
      expect(await person.offered()).toBe(`granary unkeep docker.io/${name}:1`);
      await person.agree("Take the rule back");
      await button(page, `Keep ${name}:1`).waitFor();
      expect((await stored(name))[0]?.keptBy).toBeUndefined();
      await end();
    });

    test(`a person who removes what is kept is refused, and warned before it goes all the same, by ${hand}`, async () => {
      const name = `kept/${hand}`;
      await pulled(name, "1", seed + 200);
      await world.granary.ask("keep", `docker.io/${name}:1`);
      const { page, person, end } = await open(`show?reference=docker.io/${name}:1`, hand);
      await person.press(button(page, "Remove"));
      await dialog(page).getByText("kept by the rule").waitFor();
      expect(await dialog(page).getByRole("button", { name: "Remove", exact: true }).isDisabled()).toBe(true);
      await person.press(button(page, "Remove it all the same …"));
      await dialog(page).getByText("A rule promises that this is never evicted").waitFor();
      expect(await person.offered()).toBe(`granary remove docker.io/${name}:1 --force`);
      expect(await stored(name)).toHaveLength(1);
      await person.agree("Remove it all the same");
      await page.getByText("Nothing is stored under this name").waitFor();
      expect(await stored(name)).toHaveLength(0);
      await world.granary.ask("unkeep", `docker.io/${name}:1`);
      await end();
    });

    test(`a person asks by ${hand} what a tag means now, and clients get what it moved to`, async () => {
      const name = `refresh/${hand}`;
      await pulled(name, "latest", seed + 300);
      const { page, person, end } = await open(`show?reference=docker.io/${name}:latest`, hand);
      world.add(name, "latest", [0.4], seed + 350);
      await person.press(button(page, "Ask again"));
      await dialog(page).getByText("what 1 tag means now").waitFor();
      expect(await person.offered()).toBe(`granary refresh docker.io/${name}:latest`);
      await person.agree("Ask again");
      await told(page, /moved\. It means sha256:/);
      const [now] = await stored(name);
      await page.getByText(now?.digest ?? "?", { exact: true }).waitFor();
      expect(await world.pull(name, "latest")).toBeGreaterThan(400_000);
      await end();
    });

    test(`a person brings an image in by ${hand}, for a platform that is chosen in the dialog, and follows it`, async () => {
      const name = `warm/${hand}`;
      world.add(name, "1", [3], seed + 400);
      const { page, person, end } = await open(`show?reference=docker.io/${name}:1`, hand);
      await page.getByText("Nothing is stored under this name").waitFor();
      await person.press(button(page, "Bring it in"));
      await person.write(dialog(page).getByLabel("For which platforms"), "linux/amd64");
      await dialog(page).getByText("to fetch").waitFor();
      await expect
        .poll(() => person.offered())
        .toBe(`granary warm docker.io/${name}:1 --platform linux/amd64`);
      await person.agree("Bring it in");
      await dialog(page).getByRole("progressbar").waitFor();
      await told(page, "is here: 3.15 MB came in.");
      await gone(page);
      await page.getByText("here, and that is all of it").waitFor();
      expect((await stored(name))[0]?.size).toBeGreaterThan(3_000_000);
      await end();
    });

    test(`a person stops by ${hand} in its dialog what takes too long`, async () => {
      const name = `long/${hand}`;
      world.add(name, "1", [60], seed + 500);
      const { page, person, end } = await open(`show?reference=docker.io/${name}:1`, hand);
      await person.press(button(page, "Bring it in"));
      await dialog(page).getByText("to fetch").waitFor();
      await person.agree("Bring it in");
      await person.press(button(page, "Stop it"));
      await dialog(page).getByText("It was stopped").waitFor();
      await person.press(dialog(page).getByRole("button", { name: "Close" }));
      await gone(page);
      const answer = await fetch(`${world.granary.admin}/api/v1/jobs?search=${name}`);
      expect(((await answer.json()) as { items: { state: string }[] }).items[0]?.state).toBe("stopped");
      await end();
    });

    test(`a person lets through by ${hand} what is held back, and clients get it`, async () => {
      const name = `held/${hand}`;
      world.add(name, "1", [0.1], seed + 600);
      await world.granary.ask("approve", `${CAREFUL}/${name}:1`).catch(() => "");
      await world.pull(name, "1", undefined, CAREFUL).catch(() => 0);
      await world.granary.ask("approve", `${CAREFUL}/${name}:1`);
      await world.pull(name, "1", undefined, CAREFUL);
      world.add(name, "1", [0.3], seed + 650);
      await world.granary.ask("refresh", `${CAREFUL}/${name}:1`).catch(() => "");
      expect(await world.pull(name, "1", undefined, CAREFUL)).toBeLessThan(200_000);
      const { page, person, end } = await open(`show?reference=${CAREFUL}/${name}:1`, hand);
      await page.getByText("is held back for").waitFor();
      await person.press(button(page, "Let it through"));
      await dialog(page).getByText(`${CAREFUL}/${name}:1`, { exact: true }).waitFor();
      expect(await person.offered()).toBe(`granary approve ${CAREFUL}/${name}:1`);
      await person.agree("Let it through");
      await told(page, "may pass");
      await page.getByText("is held back for").waitFor({ state: "detached" });
      expect(await world.pull(name, "1", undefined, CAREFUL)).toBeGreaterThan(300_000);
      await end();
    });

    test(`a person makes as much room as is wanted by ${hand}`, async () => {
      await pulled(`evict/${hand}`, "1", seed + 700);
      const { page, person, end } = await open("contents", hand);
      await person.press(button(page, "Make room"));
      await person.write(dialog(page).getByLabel("How much is to come free"), "one");
      await dialog(page).getByText("expected a size").waitFor();
      expect(await dialog(page).getByRole("button", { name: "Free it" }).isDisabled()).toBe(true);
      await person.write(dialog(page).getByLabel("How much is to come free"), "100KiB");
      await expect.poll(() => person.offered()).toBe("granary evict --free 100KiB");
      await dialog(page).getByText("What was used longest ago goes first").waitFor();
      const before = (await world.granary.ask("status", "--json")).length;
      expect(before).toBeGreaterThan(0);
      const used = async () =>
        (
          (await (await fetch(`${world.granary.admin}/api/v1/status`)).json()) as {
            disk: { used: number };
          }
        ).disk.used;
      const usedBefore = await used();
      await person.agree("Free it");
      await told(page, "are free");
      expect(usedBefore - (await used())).toBeGreaterThanOrEqual(100 * 1024);
      await end();
    });

    test(`a person cleans up by ${hand}, and nothing that was used lately goes`, async () => {
      const name = `clean/${hand}`;
      await pulled(name, "1", seed + 800);
      const { page, person, end } = await open("contents?upstream=docker.io", hand);
      await person.press(button(page, "Clean up"));
      expect(await person.offered()).toBe("granary remove 'docker.io/**' --unused-for 90d");
      await dialog(page).getByText("All of it was used in that time").waitFor();
      await person.choose(dialog(page).getByLabel("Remove what nobody used for"), "a week");
      await expect.poll(() => person.offered()).toBe("granary remove 'docker.io/**' --unused-for 7d");
      await dialog(page).getByText("All of it was used in that time").waitFor();
      expect(await dialog(page).getByRole("button", { name: "Remove", exact: true }).isDisabled()).toBe(true);
      await page.keyboard.press("Escape");
      await gone(page);
      expect(await stored(name)).toHaveLength(1);
      await end();
    });
  }

  test("a person takes an image away as one file", async () => {
    await pulled("export/one", "1", 6_000);
    const { page, person, end } = await open("show?reference=docker.io/export/one:1", "keyboard");
    await person.press(button(page, "Export"));
    await dialog(page).getByText("A file of").waitFor();
    expect(await person.offered()).toBe("granary bundle export granary-bundle.tar docker.io/export/one:1");
    const download = page.waitForEvent("download");
    await person.agree("Export");
    const { size } = await stat(await (await download).path());
    expect(size).toBeGreaterThan(300_000);
    await end();
  });

  test("while the line is off, a person is told so, and nothing changes", async () => {
    await pulled("away/one", "1", 7_000);
    const { page, person, end } = await open("show?reference=docker.io/away/one:1", "mouse");
    await page.getByText("here, and that is all of it").waitFor();
    await world.granary.ask("offline", "on");
    await person.press(button(page, "Ask again"));
    await person.agree("Ask again");
    await told(page, /could not be asked for: .*offline/);
    expect(await tagsOf("away/one")).toEqual(["1"]);
    await page.goto(`${world.granary.admin}/#/show?reference=docker.io/away/two:1`);
    await person.press(button(page, "Bring it in"));
    await dialog(page).getByText("offline").first().waitFor();
    expect(await dialog(page).getByRole("button", { name: "Bring it in" }).isDisabled()).toBe(true);
    await world.granary.ask("offline", "off");
    await end();
  });

  test("who reads while it is removed is not cut off, and the dialog says that it goes later", async () => {
    const [digest = ""] = world.registry.addImage("read/slowly", "1", {
      layers: [20 * 2 ** 20],
      seed: 5_000,
      format: "oci",
    }).layerDigests;
    await world.pull("read/slowly", "1");
    // It has more bytes than lie in the buffers of its connection: it is still being read.
    const { body } = await fetch(`${world.granary.url("docker.io")}/v2/read/slowly/blobs/${digest}`);
    const reader = (body ?? expect.unreachable()).getReader();
    const hash = createHash("sha256").update((await reader.read()).value ?? "");
    const { page, person, end } = await open("show?reference=docker.io/read/slowly:1", "mouse");
    await person.press(button(page, "Remove"));
    await dialog(page).getByText("nobody is cut off").waitFor();
    await person.agree("Remove");
    await told(page, "when nobody reads it any more");
    expect(await stored("read/slowly")).toHaveLength(0);
    for (let next = await reader.read(); !next.done; next = await reader.read()) hash.update(next.value);
    expect(`sha256:${hash.digest("hex")}`).toBe(digest);
    await end();
  });
});
