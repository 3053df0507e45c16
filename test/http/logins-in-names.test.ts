/** Shows that a login which somebody writes before a host is told to nobody: not to the log, not in an answer, not in the metrics. */
import { expect, it } from "vitest";
import { serveMemory } from "../support/serve-memory.ts";
import { ask, sendRaw } from "../support/wire.ts";

it("a login before a host, wherever clients write it, reaches neither log nor answer nor metrics", async () => {
  await using server = await serveMemory();
  const told: string[] = [];
  for (const target of [
    "/v2/library/alpine/manifests/1?ns=u:SECRET@ghcr.io",
    "/v2/library/alpine/manifests/1?ns=u%3ASECRET%40ghcr.io",
    "/v2/ghcr.io/library/alpine/manifests/1?ns=u:SECRET@docker.io",
    "/v2/u:SECRET@ghcr.io/app/manifests/1",
    "/v2/u%3ASECRET%40ghcr.io/app/manifests/1",
    "/u:SECRET@ghcr.io/v2/app/manifests/1",
    "/v2/SECRET@ghcr.io/app/tags/list",
    "/v2/app/manifests/u:SECRET@ghcr.io",
    "/v2/app/blobs/u:SECRET@ghcr.io",
    "/u:SECRET@ghcr.io",
    "/nowhere/u:SECRET@ghcr.io?x=1",
    "http://u:SECRET@ghcr.io/v2/app/manifests/1",
    "https://u:SECRET@nowhere.example/v2/app/manifests/1",
    "ftp://u:SECRET@ghcr.io/v2/app/manifests/1",
    "http://u:SECRET@",
    "//u:SECRET@ghcr.io/v2/",
  ]) {
    const answer = await ask(server.hub, target);
    told.push(JSON.stringify(answer.headers), answer.body.toString());
  }
  const headers = { host: "u:SECRET@ghcr.io" };
  const byHost = await ask(server.hub, "/v2/app/manifests/1", { headers });
  told.push(JSON.stringify(byHost.headers), byHost.body.toString());
  told.push(
    await sendRaw(server.hub, "CONNECT u:SECRET@ghcr.io:443 HTTP/1.1\r\nHost: u:SECRET@ghcr.io\r\n\r\n"),
  );
  await expect.poll(() => server.lines.filter(({ msg }) => msg === "request").length).toBeGreaterThan(10);
  told.push(JSON.stringify(server.lines), await server.metrics.registry.metrics(), process.title);
  expect(told.join("\n")).not.toContain("SECRET");
  expect(JSON.stringify(server.lines)).toContain("***@ghcr.io");
});
