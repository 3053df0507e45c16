/**
 * Shows that on a node of a fleet the events and the traffic of all nodes are one view, with the node's name at each, of one node by choice, and that a
 * node which does not answer is named. The server is real, the fleet behind it is in memory.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { describeWith } from "../e2e/support/required-programs.ts";
import { fleetFace } from "../support/fleet-face.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { misfits } from "./support/fitting.ts";

const MB = 10 ** 6;
const WIDTHS = [320, 800, 1_290];
const SMALLEST_TARGET = 24;

describeWith(["chromium"], "the records of a fleet", () => {
  const cleanup = new AsyncDisposableStack();
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  async function open(view: string) {
    const face = await fleetFace();
    const { a, b, c } = face.records;
    a.events.tell("evicted", "a blob went to make room");
    b.events.tell("pull-failed", "docker could not pull docker.io/library/alpine:4", { client: "192.0.2.7" });
    c.events.tell("tag-moved", "docker.io/library/node:24 moved");
    for (const [records, bytes] of [
      [a, 700 * MB],
      [b, 200 * MB],
    ] as const) {
      const cell = records.traffic.take("docker.io", "library/alpine");
      cell.sums.served += bytes;
      records.traffic.letGo(cell);
    }
    c.traffic.fetched("docker.io", "library/node", 50 * MB);
    const watched = await watchedPage(browser, face.url, { reducedMotion: "reduce" });
    await watched.page.goto(`${face.url}/#/${view}`);
    return { ...face, ...watched };
  }

  const rows = (page: Page) => page.locator(".happened .rows li");
  const happened = async (page: Page) => (await rows(page).allInnerTexts()).join("\n");
  const card = (page: Page, heading: string) =>
    page.locator(".card", { has: page.getByRole("heading", { name: heading, exact: true }) });

  async function fits(page: Page) {
    expect(await seriousFindings(page)).toEqual([]);
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      expect(await misfits(page, SMALLEST_TARGET), `${width} pixels`).toEqual([]);
    }
  }

  test("what happened at any node is one list, live, of one node by choice, and without a node that is named", async () => {
    const { page, faults, records, otherAnswers } = await open("trouble");
    await expect.poll(() => rows(page).count()).toBe(3);
    const texts = await happened(page);
    expect(texts).toMatch(/blob went to make room a\s/);
    expect(texts).toMatch(/alpine:4 b 192\.0\.2\.7/);
    expect(texts).toMatch(/node:24 moved c\s/);
    records.c.events.tell("job-begun", "something began far away");
    records.a.events.tell("job-begun", "something began here");
    await expect.poll(() => rows(page).count()).toBe(5);
    expect(await happened(page)).toMatch(/far away c\s/);

    const which = page.getByLabel("At which node");
    expect(await which.locator("option").allInnerTexts()).toEqual(["all nodes", "a (this one)", "b", "c"]);
    await which.selectOption("c");
    await expect.poll(() => happened(page)).not.toContain("here");
    await expect.poll(() => rows(page).count()).toBe(2);
    expect(page.url()).toContain("node=c");
    await page.getByText("granary events --node c --follow").first().waitFor();

    otherAnswers.set("b", async () => undefined);
    await which.selectOption("");
    const named = page.getByText("Node b of the fleet does not answer");
    await named.waitFor();
    await page.getByText("granary events --fleet --follow").first().waitFor();
    await expect.poll(() => rows(page).count()).toBe(4);
    await fits(page);
    otherAnswers.delete("b");
    await which.selectOption("b");
    await expect.poll(() => rows(page).count()).toBe(1);
    expect(await named.count()).toBe(0);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("traffic is of all nodes, with those that had a part in it, and of one node by choice", async () => {
    const { page, faults, otherAnswers } = await open("history");
    await expect
      .poll(() => page.locator(".headline").innerText())
      .toMatch(/900 MB\s+From the internet\s+50\.0 MB/);
    await page.getByText("by the clock of each node’s machine").waitFor();
    await expect.poll(() => card(page, "Nodes").innerText()).toMatch(/a\s+700 MB[\s\S]*b\s+200 MB[\s\S]*c\s/);
    await expect
      .poll(() => card(page, "Images and models").innerText())
      .toMatch(/alpine\s+900 MB[\s\S]*· a, b/);
    await page.getByText("of a; each node has its own").waitFor();
    await fits(page);
    await card(page, "Nodes").getByRole("link", { name: "b", exact: true }).click();
    await expect.poll(() => page.locator(".headline").innerText()).toMatch(/To clients\s+200 MB/);
    expect(await page.getByLabel("Of which node").inputValue()).toBe("b");
    await expect.poll(() => card(page, "Images and models").innerText()).toMatch(/alpine\s+200 MB/);
    expect(await card(page, "Nodes").count()).toBe(0);
    otherAnswers.set("b", async () => undefined);
    await page.getByLabel("Of which node").selectOption("");
    await page.getByText("Node b of the fleet does not answer").waitFor();
    await expect.poll(() => page.locator(".headline").innerText()).toMatch(/To clients\s+700 MB/);
    await page.context().close();
    expect(faults).toEqual([]);
  });
});
