/** Shows that a person sets up a client by the page alone: the file is copied out of it, a real client pulls with that, and the line says so. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NO_WAY_OUT } from "../e2e/support/image-client.ts";
import { describeWith } from "../e2e/support/required-programs.ts";
import { runCommand } from "../e2e/support/run-command.ts";
import { scratchDirectory } from "../e2e/support/scratch-directory.ts";
import { startBrowser, watchedPage } from "./support/browser.ts";
import { startWorld, type World } from "./support/world.ts";

describeWith(["chromium", "skopeo"], "setting up a client", () => {
  const cleanup = new AsyncDisposableStack();
  let world: World;
  let browser: Browser;
  beforeAll(async () => {
    world = await startWorld(cleanup, { listen: "0.0.0.0", admin: { hosts: ["granary.test"] } });
    browser = await startBrowser(cleanup, ["--host-resolver-rules=MAP granary.test 127.0.0.1"]);
    world.add("library/hello-world", "latest", [0.1, 0.2]);
  });
  afterAll(() => cleanup.disposeAsync());

  const port = () => world.granary.port("docker.io");
  const line = (page: Page) => page.locator(".arrival-line");

  async function open(view: string, origin = world.granary.admin) {
    const watched = await watchedPage(browser, origin);
    await watched.page.goto(`${origin}/#/${view}`);
    if (view.endsWith("ollama")) return watched;
    await watched.page.getByRole("heading", { name: "Where Granary is" }).waitFor();
    return watched;
  }

  /** What is in the clipboard, as a person sees it: pasted into a field. */
  async function pasted(page: Page): Promise<string> {
    const field = page.getByLabel("Address of Granary");
    await field.fill("");
    await field.press("Control+V");
    return await field.inputValue();
  }

  test("skopeo pulls with the file that was copied out of the page, and the line turns green", async () => {
    const { page, faults } = await open("setup");
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
    await page.getByRole("button", { name: "Podman", exact: true }).click();
    await page.getByText("Waiting for the first request of Podman").waitFor();
    const here = page.getByRole("button", { name: `http://127.0.0.1:${port()}` });
    await here.click();
    await expect.poll(() => here.getAttribute("aria-pressed")).toBe("true");
    const path = "/etc/containers/registries.conf.d/granary.conf";
    await page.getByText(`location = "127.0.0.1:${port()}/docker.io"`).waitFor();
    await page.getByRole("button", { name: `Copy ${path}` }).click();
    await page.getByText("Copied").waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());

    const home = await scratchDirectory(cleanup, "page-setup");
    const file = join(home, ".config", path.replace("/etc/", ""));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, text);
    const source = "docker://docker.io/library/hello-world:latest";
    await runCommand("skopeo", ["copy", "--quiet", source, `dir:${join(home, "copy")}`], {
      env: { ...NO_WAY_OUT, HOME: home, XDG_CONFIG_HOME: join(home, ".config") },
    });
    await page.getByText("It works: Podman pulls through Granary.").waitFor();
    const machine = page.locator(".arrivals li");
    await expect.poll(() => machine.innerText()).toMatch(/127\.0\.0\.1 new/);
    expect(await machine.innerText()).toMatch(/pull(?:s|ed) hello-world:latest.*\(skopeo\)/);
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("a pull of the last minutes counts too, and one of another client does not", async () => {
    await world.pull("library/hello-world", "latest", "docker/29.0.0 go/go1.25");
    const { page, faults } = await open("setup?client=docker");
    await page.getByText("It works: Docker pulls through Granary.").waitFor();
    expect(await page.locator(".arrivals").innerText()).toMatch(
      /pulled hello-world:latest, 315 kB \(docker\)/,
    );
    await page.getByRole("button", { name: "BuildKit", exact: true }).click();
    await page.getByText("Waiting for the first request of BuildKit").waitFor();
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("a pull that fails turns the line yellow, with the reason; the next one that works makes it green", async () => {
    const { page, faults } = await open("setup?client=containerd");
    await page.getByText("Waiting for the first request of containerd").waitFor();
    const agent = "containerd/2.1.0";
    await expect(world.pull("library/nowhere", "latest", agent)).rejects.toThrow("404");
    await page.getByText("containerd reaches Granary, but the pull failed.").waitFor();
    expect(await line(page).getAttribute("class")).toContain("note");
    await expect
      .poll(() => page.locator(".arrivals").innerText())
      .toMatch(/could not pull nowhere:latest[\s\S]*library\/nowhere/);
    await world.pull("library/hello-world", "latest", agent);
    await page.getByText("It works: containerd pulls through Granary.").waitFor();
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("by keyboard alone a person chooses a client and another address, and copies on a page over plain http", async () => {
    const origin = world.granary.admin.replace("127.0.0.1", "granary.test");
    const { page, faults } = await open("setup", origin);
    expect(await page.evaluate(() => isSecureContext)).toBe(false);
    const address = page.getByLabel("Address of Granary");
    expect(await address.inputValue()).toBe(`http://granary.test:${port()}`);
    await page.getByRole("button", { name: "k3s", exact: true }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("/etc/rancher/k3s/registries.yaml").first().waitFor();
    const registries = page.getByLabel("Registries that this machine asks");
    await registries.focus();
    await page.keyboard.type("only quay.io");
    await expect.poll(() => page.locator("pre", { hasText: "docker.io:" }).count()).toBe(0);
    await page.locator("pre", { hasText: "quay.io:" }).waitFor();
    await address.focus();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("ftp://there");
    await page.keyboard.press("Enter");
    await page.getByText("Write an address such as http://192.168.1.10:5000").waitFor();
    await page.keyboard.press("Control+A");
    await page.keyboard.type("http://[fd00::7]:5000");
    await page.keyboard.press("Enter");
    await page.locator("pre", { hasText: "http://[fd00::7]:5000" }).first().waitFor();
    await page.getByText("A file is there already?").focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Copy the command: granary setup" }).focus();
    await page.keyboard.press("Enter");
    await page.getByText("Copied").waitFor();
    expect(await pasted(page)).toBe(
      "granary setup k3s --server-address http://[fd00::7]:5000 --registry quay.io --write",
    );
    // Another client of the same machine needs the same address.
    await page.getByRole("button", { name: "Docker", exact: true }).click();
    await page
      .locator("pre", { hasText: `http://[fd00::7]:${port()}` })
      .first()
      .waitFor();
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("the first request of a machine shows, before it has pulled anything", async () => {
    const { page, faults } = await open("setup?client=buildkit");
    await page.getByText("Waiting for the first request of BuildKit").waitFor();
    await fetch(`${world.granary.url("docker.io")}/v2/`, { headers: { "User-Agent": "buildkit/v0.25" } });
    await page.getByText("BuildKit reaches Granary.").waitFor();
    expect(await page.locator(".arrivals").innerText()).toMatch(
      /127\.0\.0\.1 new[\s\S]*asked for something \(buildkit\)/,
    );
    await page.context().close();
    expect(faults).toEqual([]);
  });

  test("a client without a listener of its own is told what to add", async () => {
    const { page, faults } = await open("setup?client=ollama");
    await page.getByText("Granary has no listener that Ollama can use.").waitFor();
    await page.context().close();
    expect(faults).toEqual([]);
  });
});
