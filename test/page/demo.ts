/**
 * Owns a small world to look at the page in: a registry behind a slow line, a Granary, and machines that pull. It prints where the page is and
 * runs until it is ended; with a directory as its argument it takes pictures of the page there and ends.
 */
import { spawn } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { startFakeRegistry } from "../support/fake-registry.ts";
import { putBehind } from "../support/slow-line/publish.ts";
import { SlowLine } from "../support/slow-line.ts";

const MIB = 2 ** 20;
const LAUNCHER = fileURLToPath(new URL("../../src/cli/granary.js", import.meta.url));
const ADMIN = 5_093;
const PORT = 5_094;

const [pictures] = process.argv.slice(2);
const directory = await mkdtemp(join(tmpdir(), "granary-page-"));
const fake = await startFakeRegistry({ mode: "plain" });
const line = new SlowLine({ rate: 6_000_000, delay: 30 } as never);
await putBehind(line, fake);
const names = ["library/alpine", "library/postgres", "library/node", "grafana/grafana", "org/tools"];
for (const [index, name] of names.entries())
  for (const tag of ["latest", `${index + 1}.0`])
    fake.addImage(name, tag, {
      layers: [3 * MIB, (index + 1) * 9 * MIB, 20 * MIB],
      seed: index * 10 + (tag === "latest" ? 1 : 2),
      format: "oci",
    });

const config = join(directory, "granary.yaml");
await writeFile(
  config,
  [
    `listeners: [{ port: ${PORT}, host: 127.0.0.1, upstream: docker.io }]`,
    `storage: { directory: ${join(directory, "data")}, minFree: 0, maxSize: 2GiB }`,
    `upstreams: { docker.io: { endpoints: ["${fake.url}"], internal: true } }`,
    `admin: { port: ${ADMIN}, host: 127.0.0.1 }`,
  ].join("\n"),
);
const child = spawn(process.execPath, [LAUNCHER, "serve", "--config", config], {
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, GRANARY_ADMIN: `127.0.0.1:${ADMIN}` },
});
for (;;) {
  if (
    await fetch(`http://127.0.0.1:${ADMIN}/api/v1/status`).then(
      (answer) => answer.ok,
      () => false,
    )
  )
    break;
  await new Promise((resolve) => setTimeout(resolve, 100));
}

async function pull(name: string, tag: string) {
  const base = `http://127.0.0.1:${PORT}/v2/${name}`;
  const manifest = (await (
    await fetch(`${base}/manifests/${tag}`, {
      headers: {
        Accept: "application/vnd.oci.image.manifest.v1+json",
        "User-Agent": "docker/29.0.0 go/go1.25",
      },
    })
  ).json()) as { layers: { digest: string }[] };
  await Promise.all(
    manifest.layers.map(async ({ digest }) => {
      const { body } = await fetch(`${base}/blobs/${digest}`, { headers: { "User-Agent": "docker/29.0.0" } });
      for await (const _ of body ?? []);
    }),
  );
}

await pull("library/alpine", "latest");
for (let index = 0; index < 12; index += 1) await pull("library/alpine", "latest");
const running = names.slice(1).flatMap((name) => [pull(name, "latest"), pull(name, "latest")]);
console.log(`http://127.0.0.1:${ADMIN}/`);

if (pictures !== undefined) {
  const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  for (const colorScheme of ["light", "dark"] as const)
    for (const width of [390, 1024, 1920]) {
      const page = await browser.newPage({
        viewport: { width, height: width === 390 ? 844 : 1000 },
        colorScheme,
      });
      page.on("console", (message) => console.log("console", message.type(), message.text()));
      page.on("pageerror", (error) => console.log("pageerror", error.message));
      page.on("requestfailed", (request) => console.log("failed", request.url()));
      for (const view of (process.env.VIEWS ?? "now").split(",")) {
        await page.goto(`http://127.0.0.1:${ADMIN}/#/${view}`);
        await page.waitForTimeout(2_500);
        await page.screenshot({
          path: join(pictures, `${view.replace(/\W+/g, "-")}-${width}-${colorScheme}.png`),
        });
      }
      await page.close();
    }
  await browser.close();
  child.kill("SIGTERM");
  process.exit(0);
}
await Promise.allSettled(running);
