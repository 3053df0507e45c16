/**
 * Shows what a person does with the list of what is stored: search, sort, filter, go through pages, follow a link and come back, of ten thousand
 * repositories; and that names of all kinds can be looked at, changed, and given to a shell.
 */
import { execFileSync } from "node:child_process";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openDatabase } from "../../src/metadata/database.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { describeWith } from "../e2e/support/required-programs.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { HANDS, Person } from "./support/person.ts";
import { startWorld, type World } from "./support/world.ts";

const PORTED = "registry.example.com:5443";
const MODELS = "registry.ollama.ai";
const MANY = 10_000;
const LONG = `long/${"a-service-with-a-long-name.".repeat(7)}end`;

describeWith(["chromium"], "the contents", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, { upstreams: { [PORTED]: {}, [MODELS]: {} } });
    browser = await startBrowser(cleanup);
    await world.granary.stop();
    await fillWith(MANY, join(dirname(world.granary.config), "data", "granary.db"));
    await world.granary.start();
    for (const [place, [name, tag, upstream]] of NAMES.entries()) {
      world.add(name, tag, [0.1 * (place + 1)], place * 10 + 1);
      await world.pull(name, tag, undefined, upstream);
    }
  });
  afterAll(() => cleanup.disposeAsync());

  const NAMES = [
    ["library/alpine", "3.22", undefined],
    ["org/with_under.dots-and--dashes", "v1.0_a-b.C", undefined],
    [LONG, "x".repeat(128), undefined],
    ["team/app", "1", PORTED],
    ["library/llama3.2", "latest", MODELS],
  ] as const;

  const open = async (address: string) => {
    const { page, faults } = await watchedPage(browser, world.granary.admin);
    await page.goto(`${world.granary.admin}/#/${address}`);
    await page.locator(".live .good").waitFor();
    const end = async () => {
      await page.context().close();
      expect(faults).toEqual([]);
    };
    return { page, end };
  };
  const first = (page: Page) => page.locator("tbody tr .name a").first();
  const pages = (page: Page) => page.getByRole("navigation", { name: "Pages" });

  for (const hand of HANDS)
    test(`a person goes through ten thousand repositories by ${hand}, and back, and the address leads there again`, async () => {
      const { page, end } = await open("contents?sort=name&search=many/");
      const person = new Person(page, hand);
      await pages(page).getByText("1–50 of 10,000 repositories").waitFor();
      await person.press(page.getByRole("button", { name: "Next" }));
      await pages(page).getByText("51–100 of 10,000 repositories").waitFor();
      const second = await first(page).innerText();
      await person.press(page.getByRole("button", { name: "Next" }));
      await pages(page).getByText("101–150 of").waitFor();
      await person.press(page.getByRole("button", { name: "Previous" }));
      await pages(page).getByText("51–100 of").waitFor();
      expect(await first(page).innerText()).toBe(second);
      await page.reload();
      await pages(page).getByText("51–100 of").waitFor();
      expect(await first(page).innerText()).toBe(second);
      await page.goBack();
      await pages(page).getByText("101–150 of").waitFor();

      await person.press(page.getByRole("columnheader", { name: "Name" }).getByRole("link"));
      await pages(page).getByText("1–50 of").waitFor();
      await expect.poll(() => first(page).innerText()).toBe("many/r9999");
      expect(await page.getByRole("columnheader", { name: "Name" }).getAttribute("aria-sort")).toBe(
        "descending",
      );
      await person.write(page.getByRole("searchbox"), "R1234");
      await pages(page).getByText("1 repository", { exact: true }).waitFor();
      expect(await first(page).innerText()).toBe("many/r1234");
      await person.write(page.getByRole("searchbox"), "no such name");
      await page.getByText("No name that is stored here contains “no such name”.").waitFor();
      await person.press(page.getByRole("link", { name: "Show everything" }));
      await person.choose(page.getByLabel("Upstream"), PORTED);
      await expect.poll(() => first(page).innerText()).toBe(`${PORTED}/team/app`);
      await person.choose(page.getByLabel("Lines"), "by tag");
      await expect.poll(() => first(page).innerText()).toBe(`${PORTED}/team/app:1`);
      await end();
    });

  test("a name of any kind is looked at and changed, and its command line speaks of the same", async () => {
    const { page, end } = await open("contents?by=tag&search=:");
    const person = new Person(page, "mouse");
    for (const [name, tag, upstream = "docker.io"] of NAMES) {
      const whole = `${upstream}/${name}:${tag}`;
      await page.goto(`${world.granary.admin}/#/show?${new URLSearchParams({ reference: whole })}`);
      await page.getByRole("heading", { level: 1 }).filter({ hasText: tag }).waitFor();
      await page.getByText("here, and that is all of it").waitFor();
      for (const [act, says] of [
        ["Remove", `${whole}\n`],
        ["Keep", `${whole}`],
        ["Ask again", `${whole}: would be asked for again`],
      ] as const) {
        await person.press(page.getByRole("button", { name: act, exact: true }));
        await page.locator("dialog button[type=submit]:enabled").waitFor();
        const line = await person.offered();
        expect(line).toContain(whole);
        expect(dryRun(line)).toContain(says);
        await page.keyboard.press("Escape");
        await page.getByRole("dialog").waitFor({ state: "detached" });
      }
    }
    await end();
  });

  test("who asks by a digest is shown what it is known as", async () => {
    const { digest } = await shown("docker.io/library/alpine:3.22");
    const { page, end } = await open(`show?reference=docker.io/library/alpine@${digest}`);
    await page.getByText(digest, { exact: true }).first().waitFor();
    await page.getByRole("heading", { level: 1, name: "alpine:3.22" }).waitFor();
    await end();
  });

  test("what nobody used for long is cleaned up by a job that is followed in its dialog, and the command does the same", async () => {
    const { page, end } = await open("contents");
    const person = new Person(page, "keyboard");
    await person.press(page.getByRole("button", { name: "Clean up" }));
    await page.getByRole("dialog").getByText("come free").waitFor();
    await page.getByRole("dialog").getByText("and 9,900 more names").waitFor();
    const said = dryRun(await person.offered());
    expect(said).toContain("many/r0 ");
    expect(said).toContain(`Would remove ${MANY} names`);
    await person.agree("Remove");
    await page.getByRole("dialog").getByRole("progressbar").waitFor();
    await page.locator(".toast").getByText("Removed 10,000 names").waitFor({ timeout: 120_000 });
    await pages(page).getByText(`${NAMES.length} repositories`, { exact: true }).waitFor();
    await end();
  });

  const shown = async (reference: string) => {
    const query = new URLSearchParams({ reference });
    const answer = await fetch(`${world.granary.admin}/api/v1/contents/show?${query}`);
    return ((await answer.json()) as { names: { digest: string }[] }).names[0] ?? expect.unreachable();
  };

  /** What a shell makes of the line, run for real as a dry run. */
  const dryRun = (line: string) => {
    const launcher = new URL("../../src/cli/granary.js", import.meta.url).pathname;
    const script = `granary() { "${process.execPath}" "${launcher}" "$@" --dry-run --config "${world.granary.config}"; }\n${line}`;
    return execFileSync("/bin/sh", ["-c", script], { encoding: "utf8" });
  };
});

/** Repositories that somebody pulled from long ago, each with one tag. */
async function fillWith(count: number, database: string): Promise<void> {
  const { metadata } = openDatabase(database);
  for (let index = 0; index < count; index++) {
    const layer = digestOf(Buffer.from(`layer ${index}`));
    const document = {
      schemaVersion: 2,
      config: { digest: layer, size: 7 },
      layers: [{ digest: layer, size: 7 }],
    };
    const bytes = Buffer.from(JSON.stringify(document));
    const manifest = { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
    const where = { upstream: "docker.io", repository: `many/r${index}` };
    await metadata.recordManifest(where, manifest, [{ digest: layer, size: 7 }]);
    const tag = {
      ...where,
      tag: "1",
      acceptClass: "",
      mediaType: OCI_MANIFEST,
      size: bytes.length,
      checkedAt: 1,
    };
    await metadata.recordTag({ ...tag, digest: manifest.digest });
  }
  await metadata.close();
}
