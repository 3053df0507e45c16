/** Owns registries that say what a test lets them say, by the address of their own. */
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { plainUpstream } from "../../src/config/defaults.ts";
import type { Upstream } from "../../src/upstream/policy.ts";

/** `upstream` has the name and the endpoint of this registry, which is closed with the test. */
export async function registryThat(
  answer: RequestListener,
  prepare?: (server: ReturnType<typeof createServer>) => void,
) {
  const server = createServer(answer);
  prepare?.(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const name = `127.0.0.1:${port}`;
  const upstream: Upstream = { ...plainUpstream(name), endpoints: [`http://${name}`], internal: true };
  return { name, upstream, server, port };
}
