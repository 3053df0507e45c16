/**
 * Takes pictures of the page as it is in a lab on a busy morning: `npm run pictures -- DIRECTORY` takes all views in three widths and both
 * colour schemes; with `--readme` it writes those of the README. `--open` says where the page is and leaves it there until it is ended.
 */
import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Browser, Page } from "playwright-core";
import { startBrowser } from "./support/browser.ts";
import { type Lab, startLab } from "./support/lab.ts";
import { lookingPage, openView, pictureOf, SCHEMES, VIEWS, WIDTHS } from "./support/pictures.ts";
import { smallPng } from "./support/small-png.ts";

const MINUTE_MS = 60_000;
const README = fileURLToPath(new URL("../../docs/pictures/", import.meta.url));

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    readme: { type: "boolean" },
    open: { type: "boolean" },
    views: { type: "string" },
    widths: { type: "string" },
    scale: { type: "string", default: "0.5" },
  },
});

if (process.env.GRANARY_PICTURES === undefined) process.exit(inNetworkOfItsOwn());

const timezoneId = process.env.TZ ?? "UTC";
await using cleanup = new AsyncDisposableStack();
const network = process.env.GRANARY_PICTURES ?? "127.0.0";
const lab = await startLab(cleanup, { scale: Number(values.scale), network });
const browser = await startBrowser(cleanup);
const [directory] = positionals;
if (directory !== undefined) await takeAll(browser, lab, directory);
if (values.readme) await takeForReadme(browser, lab);
if (values.open) {
  console.log(lab.granary.admin);
  await new Promise((resolve) => process.once("SIGINT", resolve).once("SIGTERM", resolve));
}
// Clients still pull: they end with this process, and the Granary with the stack.
await cleanup.disposeAsync();
process.exit();

async function takeAll(browser: Browser, { granary }: Lab, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const wanted = values.views?.split(",") ?? Object.keys(VIEWS);
  const widths = values.widths?.split(",").map(Number) ?? WIDTHS;
  for (const colorScheme of SCHEMES)
    for (const width of widths) {
      const page = await lookingPage(browser, { width, colorScheme, timezoneId });
      await withAnHour(page);
      for (const [name, view] of Object.entries(VIEWS).filter(([name]) => wanted.includes(name))) {
        await openView(page, granary.admin, view);
        await pictureOf(page, join(directory, `${name}-${width}-${colorScheme}.png`));
      }
      await page.context().close();
    }
}

async function takeForReadme(browser: Browser, { granary }: Lab): Promise<void> {
  for (const colorScheme of SCHEMES) {
    const page = await lookingPage(browser, {
      width: 1180,
      height: 900,
      colorScheme,
      scale: 1.5,
      timezoneId,
    });
    await withAnHour(page);
    const hour = page.waitForResponse("**/api/v1/traffic/minutes");
    await openView(page, granary.admin, VIEWS.now);
    await (await hour).finished();
    await page.evaluate(
      () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
    );
    await writeFile(join(README, `page-${colorScheme}.png`), smallPng(await page.screenshot()));
    await page.context().close();
  }
}

/** The server knows the minutes since it was started, which was a moment ago: those before are made up here. */
async function withAnHour(page: Page): Promise<void> {
  const hour = Array.from({ length: 60 }, (_, back) => {
    const at = Math.floor(Date.now() / MINUTE_MS - back - 1) * MINUTE_MS;
    const wave = 1.2 + Math.sin(back / 4.1) + 0.6 * Math.sin(back / 1.7 + 2);
    const isNew = back % 23 < 5;
    return {
      at,
      served: Math.round(2.4e9 * Math.max(0.1, wave)),
      fetched: Math.round(4.2e8 * (isNew ? Math.max(0.2, wave) : 0.12)),
    };
  });
  await page.route("**/api/v1/traffic/minutes", async (route) => {
    const answer = await route.fetch();
    const { items } = (await answer.json()) as { items: { at: number }[] };
    const known = new Set(items.map(({ at }) => at));
    const all = [...hour.filter(({ at }) => !known.has(at)), ...items].sort((a, b) => a.at - b.at);
    await route.fulfill({ response: answer, json: { items: all } });
  });
}

/**
 * Machines of a lab have addresses like 192.168.1.21, which this one has only in a network namespace of its own; where the kernel gives us
 * none, they have those of loopback. There it is always morning: the zone is one in which it is ten o'clock or near it.
 */
function inNetworkOfItsOwn(): number {
  const lab = "192.168.1";
  const addresses = Array.from({ length: 60 }, (_, place) => `ip addr add ${lab}.${place}/32 dev lo`).slice(
    20,
  );
  const script = `ip link set lo up && ${addresses.join(" && ")}`;
  const isPossible = spawnSync("unshare", ["-Urn", "sh", "-c", script]).status === 0;
  const own = [process.execPath, ...process.argv.slice(1)];
  const behind = Math.min(12, new Date().getUTCHours() - 10);
  const env = {
    ...process.env,
    TZ: `Etc/GMT${behind < 0 ? behind : `+${behind}`}`,
    GRANARY_PICTURES: isPossible ? lab : "127.0.0",
  };
  const [command = "", ...args] = isPossible
    ? ["unshare", "-Urn", "sh", "-c", `${script} && exec "$@"`, "sh", ...own]
    : own;
  return spawnSync(command, args, { stdio: "inherit", env }).status ?? 1;
}
