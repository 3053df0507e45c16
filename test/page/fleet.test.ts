/**
 * Shows the view of the fleet: nodes and what they do, who brings what for all, the bucket and the database, live, on a phone too; and that a
 * Granary that is alone has no such view. The server is real, the fleet behind it is in memory.
 */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blobLease } from "../../src/fleet/fleet.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { describeWith } from "../e2e/support/required-programs.ts";
import { type FaceOptions, fleetFace } from "../support/fleet-face.ts";
import { seriousFindings } from "./support/axe.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { misfits } from "./support/fitting.ts";
import { startWorld } from "./support/world.ts";

const GB = 10 ** 9;
const LAYER = digestOf(Buffer.from("a layer"));
const OTHER = digestOf(Buffer.from("another layer"));
const STORED = digestOf(Buffer.from("stored"));
const LAB: FaceOptions = {
  told: {
    a: { fills: 2, stored: 120 * GB, budget: 200 * GB, served: 84e6, unshared: 0 },
    b: { fills: 11, stored: 187 * GB, budget: 200 * GB, served: 412e6, unshared: 3 },
  },
  zones: { b: "hall-1" },
  versions: { c: "1.3.0" },
  names: new Map([[LAYER, { upstream: "docker.io", repository: "library/node" }]]),
  bucketLimit: 2_000 * GB,
};
const WIDTHS = [320, 390, 640, 800, 1_024, 1_040, 1_160, 1_290, 1_920];
const SMALLEST_TARGET = 24;
const FINGER = 44;

describeWith(["chromium"], "the fleet", () => {
  const cleanup = new AsyncDisposableStack();
  let browser: Browser;
  beforeAll(async () => {
    browser = await startBrowser(cleanup);
  });
  afterAll(() => cleanup.disposeAsync());

  async function open(options: FaceOptions = LAB) {
    const face = await fleetFace(options);
    const { a, b, c } = face.nodes;
    const stored = await a.acquire(blobLease("docker.io", STORED));
    await stored?.commit({ digest: STORED, size: 500 * GB, objectKey: "stored" });
    await b.acquire(blobLease("docker.io", LAYER));
    await a.acquire(blobLease("", OTHER));
    await c.acquire("tag\ndocker.io\nlibrary/alpine\n3.22\nimage");
    const watched = await watchedPage(browser, face.url, { reducedMotion: "reduce" });
    await watched.page.goto(`${face.url}/#/fleet`);
    await node(watched.page, "c").waitFor();
    return { ...face, ...watched };
  }

  const node = (page: Page, name: string) => page.locator(`[data-node="${name}"]`);
  const card = (page: Page, heading: string) =>
    page.locator(".card", { has: page.getByRole("heading", { name: heading }) });

  test("shows the nodes with what each does, who brings what, and how full the bucket is", async () => {
    const { page, faults } = await open();
    await page
      .getByRole("navigation", { name: "Views" })
      .getByRole("link", { name: "Fleet" })
      .and(page.locator("[aria-current=page]"))
      .waitFor();
    await page.getByText("3 of 3 nodes live").waitFor();
    expect(await node(page, "a").innerText()).toMatch(/^\s*a this one\s+live/);
    expect(await node(page, "b").innerText()).toMatch(
      /hall-1 · 1\.2\.3[\s\S]*187 GB of 200 GB[\s\S]*11 transfers[\s\S]*412 MB\/s to clients[\s\S]*3 blobs on the way/,
    );
    expect(await node(page, "c").innerText()).toContain("1.3.0, another version");
    const work = card(page, "Done by one for all");
    expect(await work.innerText()).toMatch(
      /b fills node\s+for \d+ s[\s\S]*a \(this one\) shares a blob\s[\s\S]*to the bucket · sha256:[\s\S]*c asks for alpine:3\.22/,
    );
    expect(await card(page, "Bucket").innerText()).toMatch(
      /25 % of its limit\s+500 GB of 2\.00 TB; 1 object/,
    );
    expect(await card(page, "Database").innerText()).toMatch(/answers\s+since/);
    expect(await work.getByRole("link", { name: "node" }).getAttribute("href")).toBe(
      "#/contents?search=docker.io%2Flibrary%2Fnode",
    );
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("shows as it happens that a node dies and that the database is away", async () => {
    const { page, faults, shared } = await open();
    shared.cuts.add("b");
    await node(page, "b").getByText("gone, silent for").waitFor();
    await page.getByText("2 of 3 nodes live").waitFor();
    await expect.poll(() => page.locator("[data-kind=fill]").count()).toBe(0);
    shared.database.away = true;
    await page.getByText("The fleet's database has not answered this node for").waitFor();
    await page.getByText("does not answer").waitFor();
    await node(page, "c").getByText("was live").waitFor();
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await seriousFindings(page), colorScheme).toEqual([]);
    }
    shared.database.away = false;
    await node(page, "c").getByText("live", { exact: true }).waitFor();
    expect(await page.getByText("has not answered").count()).toBe(0);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("fits every window, can be read by everybody, and gives a finger room", async () => {
    const { page, faults, nodes } = await open();
    for (let each = 0; each < 20; each++) await nodes.b.acquire(`x\n${"long".repeat(40)} ${each}`);
    await page.getByRole("button", { name: "Show all 23" }).click();
    await expect.poll(() => page.locator("[data-kind=other]").count()).toBe(20);
    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      expect(await seriousFindings(page), colorScheme).toEqual([]);
    }
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 900 });
      expect(await misfits(page, SMALLEST_TARGET), `${width} pixels`).toEqual([]);
    }
    await page.setViewportSize({ width: 390, height: 844 });
    for (const name of await page.locator(".views a").all()) {
      const { width = 0, height = 0 } = (await name.boundingBox()) ?? {};
      expect(Math.min(width, height), await name.innerText()).toBeGreaterThanOrEqual(FINGER);
    }
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("is not there on a Granary that is alone", async () => {
    await using own = new AsyncDisposableStack();
    const { granary } = await startWorld(own);
    const { page, faults } = await watchedPage(browser, granary.admin);
    await page.goto(`${granary.admin}/#/fleet`);
    await page.getByText("There is no view of this name.").waitFor();
    expect(await page.locator(".views a").count()).toBe(6);
    expect(await page.getByRole("link", { name: "Fleet" }).count()).toBe(0);
    await page.context().close();
    expect(faults).toEqual([]);
  });
});
