/** Shows what a person does with the disk and with bundles: check, repair, make room, take along and bring in; by mouse and by keyboard. */
import { open, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { scratchDirectory } from "../e2e/support/scratch-directory.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { HANDS, type Hand, Person } from "./support/person.ts";
import { startWorld, type World } from "./support/world.ts";

const MIB = 2 ** 20;

describeWith(["chromium"], "the disk and bundles", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    world = await startWorld(cleanup, {
      line: { rate: 20_000_000, delayMs: 10 },
      sections: { verify: "0 4 1 * *" },
    });
    browser = await startBrowser(cleanup);
    folder = await scratchDirectory(cleanup, "bundles");
  });
  afterAll(() => cleanup.disposeAsync());

  async function opened(hand: Hand) {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/jobs?part=disk`);
    await page.getByRole("heading", { name: "The disk" }).waitFor();
    return { page, faults, person: new Person(page, hand) };
  }
  const evicted = async () => {
    const answer = await fetch(`${world.granary.admin}/api/v1/events/past?kind=evicted&limit=1000`);
    return ((await answer.json()) as { items: unknown[] }).items.length;
  };
  /** All that came is stored, and nothing is on its way. */
  const settled = () =>
    expect
      .poll(async () => {
        const answer = await fetch(`${world.granary.admin}/api/v1/status`);
        const { fills, pins } = (await answer.json()) as { fills: unknown[]; pins: number };
        return fills.length + pins;
      })
      .toBe(0);
  /** The registry is there again, and Granary has seen that: it does not ask at once whom it could not reach. */
  const resumed = async (repository: string) => {
    await world.registry.resume();
    world.add(repository, "1", [0.1], 30);
    const isPulled = () =>
      world.pull(repository, "1").then(
        () => true,
        () => false,
      );
    await expect.poll(isPulled).toBe(true);
  };
  const remove = async (pattern: string) =>
    await fetch(`${world.granary.admin}/api/v1/contents/remove`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ pattern }),
    });
  const newest = (page: Page) => page.getByRole("list", { name: "Jobs" }).getByRole("listitem").first();
  const giveFile = async (page: Page, person: Person, path: string) => {
    const chooser = page.waitForEvent("filechooser");
    await person.press(page.getByLabel("A bundle, or what docker save wrote (.tar)"));
    await (await chooser).setFiles(path);
  };

  for (const [index, hand] of HANDS.entries()) {
    test(`a person takes an image along as a bundle by ${hand}, and brings it in where there is no line`, async () => {
      const repository = `org/carried-${hand}`;
      world.add(repository, "1", [1, 2], 40 + index * 5);
      const bytes = await world.pull(repository, "1");
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel("Images and models"), `${repository}:1`);
      await person.press(page.getByRole("button", { name: "Export", exact: true }));
      await page
        .getByRole("dialog")
        .getByText(/A file of 3\.15 MB/)
        .waitFor();
      expect(await person.offered()).toBe(`granary bundle export granary-bundle.tar ${repository}:1`);
      const download = page.waitForEvent("download");
      await person.agree("Export");
      const file = join(folder, `${hand}.tar`);
      await (await download).saveAs(file);
      await page.getByText(/granary-bundle\.tar is here, with 3\.1\d MB/).waitFor();
      await expect.poll(async () => (await readFile(file)).length).toBeGreaterThan(bytes);
      const exports = await fetch(`${world.granary.admin}/api/v1/jobs?search=export`);
      expect(await exports.json()).toMatchObject({
        items: [{ state: "done", progress: { things: { done: 1, total: 1 } } }, ...Array(index).fill({})],
      });

      await remove(repository);
      await world.registry.pause();
      await expect(world.pull(repository, "1")).rejects.toThrow();
      await giveFile(page, person, file);
      await person.press(page.getByRole("button", { name: "Import", exact: true }));
      await page.getByRole("dialog").getByText("comes in").waitFor();
      await page
        .getByRole("dialog")
        .getByText(/3\.1\d MB to send and to store/)
        .waitFor();
      expect(await person.offered()).toBe(`granary bundle import ${hand}.tar`);
      await expect(world.pull(repository, "1")).rejects.toThrow();
      await person.agree("Import");
      await page.getByRole("region", { name: "Transfer" }).getByText("is in", { exact: true }).waitFor();
      expect(await world.pull(repository, "1")).toBe(bytes);
      await resumed(`org/awake-${hand}`);

      // The same again: nothing is sent.
      await giveFile(page, person, file);
      await person.press(page.getByRole("button", { name: "Import", exact: true }));
      await page.getByRole("dialog").getByText("is here already").waitFor();
      await page
        .getByRole("dialog")
        .getByText(/^0 B to send/)
        .waitFor();
      await person.agree("Cancel");
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test(`a person checks the disk by ${hand}, sees what is damaged, and has it repaired`, async () => {
      const repository = `org/damaged-${hand}`;
      const digest = world.registry.addImage(repository, "1", {
        layers: [MIB],
        seed: 60 + index,
        format: "oci",
      }).layerDigests[0] as string;
      await world.pull(repository, "1");
      await settled();
      const [, hex = ""] = digest.split(":");
      const blob = await open(
        join(dirname(world.granary.config), "data/blobs/sha256", hex.slice(0, 2), hex),
        "r+",
      );
      await blob.write("damage", 1000);
      await blob.close();
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel(/Only what this stands for/), repository);
      await person.press(page.getByRole("button", { name: "Check the disk" }));
      await expect.poll(() => person.offered()).toBe(`granary verify ${repository}`);
      await person.agree("Check");
      await newest(page).getByText(`verify docker.io/${repository}`, { exact: true }).waitFor();
      await newest(page).getByText("done, 1 wrong", { exact: true }).waitFor();
      await person.press(newest(page).getByRole("button", { name: /^More/ }));
      await newest(page).getByText("1 thing wrong.").waitFor();
      await newest(page).getByText("not repaired").waitFor();

      await person.press(page.getByLabel("Repair what is found"));
      await person.press(page.getByRole("button", { name: "Check the disk" }));
      await page
        .getByRole("dialog")
        .getByText(/found 1 thing wrong/)
        .waitFor();
      expect(await person.offered()).toBe(`granary verify ${repository} --repair`);
      await person.agree("Check and repair");
      await newest(page)
        .getByText(/and repair it$/)
        .waitFor();
      await newest(page).getByText("done", { exact: true }).waitFor();
      await person.press(newest(page).getByRole("button", { name: /^More/ }));
      await newest(page).getByText("repaired", { exact: true }).waitFor();
      await newest(page)
        .getByText(/1 blob fetched again/)
        .waitFor();
      await page.context().close();
      expect(faults).toEqual([]);
    });

    test(`a person makes room by ${hand}, and sees first what goes`, async () => {
      world.add(`org/old-${hand}`, "1", [3], 80 + index);
      await world.pull(`org/old-${hand}`, "1");
      await settled();
      const before = await evicted();
      const { page, faults, person } = await opened(hand);
      await person.write(page.getByLabel("Free some room"), "2");
      await person.choose(page.getByRole("combobox", { name: "Unit" }), "MB");
      await person.press(page.getByRole("button", { name: "Free it", exact: true }));
      await page
        .getByRole("dialog")
        .getByText(/come free. What was used longest ago goes first/)
        .waitFor();
      expect(await person.offered()).toBe("granary evict --free 2MB");
      expect(await evicted()).toBe(before);
      await page.getByRole("dialog").getByRole("button", { name: "Free it", exact: true }).waitFor();
      await person.agree("Free it");
      await page.getByText(/^\d[\d.]* MB are free\./).waitFor();
      await expect.poll(evicted).toBeGreaterThan(before);
      await page.context().close();
      expect(faults).toEqual([]);
    });
  }

  test("an export on the way is stopped, and then nothing looks like a bundle", async () => {
    world.add("org/heavy", "1", [40], 95);
    world.line.set({ rate: 4_000_000 });
    const { page, faults, person } = await opened("mouse");
    let downloads = 0;
    page.on("download", () => {
      downloads += 1;
    });
    await person.write(page.getByLabel("Images and models"), "org/heavy:1");
    await person.press(page.getByRole("button", { name: "Export", exact: true }));
    await page.getByRole("dialog").getByText("of which 41.9 MB are not here and are fetched first").waitFor();
    await person.agree("Export");
    const transfer = page.getByRole("region", { name: "Transfer" });
    await expect.poll(() => transfer.getByRole("progressbar").getAttribute("aria-valuenow")).not.toBe("0");
    await person.press(transfer.getByRole("button", { name: "Stop" }));
    await transfer.getByText("You have stopped it.").waitFor();
    await newest(page).getByText("export org/heavy:1", { exact: true }).waitFor();
    await newest(page)
      .getByText(/^(failed|stopped)$/)
      .waitFor();
    expect(downloads).toBe(0);
    world.line.set({ rate: 20_000_000 });
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("the disk is checked by itself at its times, and a file that is no bundle is refused with a sentence", async () => {
    const path = join(folder, "picture.tar");
    await writeFile(path, Buffer.alloc(10_000, "no tar"));
    const { page, faults, person } = await opened("mouse");
    await page
      .getByText("It is checked by itself on day 1 of each month at 04:00 (time of the server).")
      .waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await giveFile(page, person, path);
    await person.press(page.getByRole("button", { name: "Import", exact: true }));
    await page
      .getByRole("dialog")
      .getByText(/This file is no bundle/)
      .waitFor();
    expect(
      await page.getByRole("dialog").getByRole("button", { name: "Import", exact: true }).isDisabled(),
    ).toBe(true);
    await person.agree("Cancel");
    await page.context().close();
    expect(faults).toEqual([]);
  });
});
