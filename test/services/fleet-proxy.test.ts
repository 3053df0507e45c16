/** Shows that a client may use the proxy of any node of a fleet: all have one authority, and what was pushed through one is pulled through another. */
import { cp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { runDockerRegistry } from "../e2e/support/docker-registry.ts";
import { withNames } from "../e2e/support/proxy-lab.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { runCommand } from "../e2e/support/run-command.ts";
import { scratchDirectory } from "../e2e/support/scratch-directory.ts";
import { pushSmallImage } from "../e2e/support/small-image.ts";
import { freePorts } from "../support/free-ports.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";

describeWithPrograms(
  ["weed", "docker-registry", "crane", "unshare", "mount"],
  "the proxies of a fleet",
  () => {
    const cleanup = new AsyncDisposableStack();
    let world: FleetWorld;
    afterEach(async () => {
      await world?.end();
      await cleanup.disposeAsync();
    });

    test("show one authority, and give out what was pushed through another one", async () => {
      world = await FleetWorld.begin();
      const registry = await runDockerRegistry(cleanup, await scratchDirectory(cleanup, "storage"));
      const pushed = async (tag: number) => {
        const { manifest } = await pushSmallImage(registry.url, "app", `${tag}`, tag);
        return manifest.digest;
      };
      const [old, moved] = [await pushed(1), await pushed(2)];
      const upstreams = {
        "shared.test": { endpoints: [`http://shared.test:${new URL(registry.url).port}`], internal: true },
      };
      const command = await withNames(cleanup, ["shared.test"]);
      const ports = await freePorts(2);
      const [a, b] = await Promise.all(
        ["a", "b"].map((name, index) => {
          const proxy = { host: "127.0.0.1", port: ports[index] };
          return world.node(name, { granary: { upstreams, command, sections: { proxy } } });
        }),
      );
      if (a === undefined || b === undefined) throw new Error("there are two nodes");
      const authorityOf = ({ config }: typeof a) => join(dirname(config), "data/authority");
      await b.stop();
      await rm(authorityOf(b), { recursive: true });
      await cp(authorityOf(a), authorityOf(b), { recursive: true });
      await b.start();

      const crane = async (node: typeof a, ...words: string[]) => {
        const proxy = `http://127.0.0.1:${ports[node === a ? 0 : 1]}`;
        const env = { HTTPS_PROXY: proxy, SSL_CERT_FILE: join(authorityOf(a), "ca.crt") };
        return (await runCommand("crane", words, { env })).trim();
      };
      const digests = () => Promise.all([a, b].map((node) => crane(node, "digest", "shared.test/app:1")));
      expect(await digests()).toEqual([old, old]);
      await crane(a, "tag", "shared.test/app:2", "1");
      expect(await crane(a, "digest", "shared.test/app:1")).toBe(moved);
      await expect.poll(digests).toEqual([moved, moved]);
    });
  },
);
