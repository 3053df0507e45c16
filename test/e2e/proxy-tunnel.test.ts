/**
 * Shows that curl reaches an unrelated https site through the proxy byte for byte where `proxy.tunnel` allows it. All of it runs in a network of
 * its own, which has a public address that belongs to nobody else there: the proxy opens tunnels to no other kind.
 */
import { randomBytes } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { serverCert, serverKey } from "../support/throwaway-tls.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

const GRANARY = fileURLToPath(new URL("../../src/cli/granary.js", import.meta.url));
const SITE = "8.8.4.4";
const SIZE = 5_000_000;

/** Waits for both to listen, asks as a client does, and compares what came with what lies there. */
const SCRIPT = `
set -eu
ip link set lo up
ip address add ${SITE}/32 dev lo
"$NODE" site.mjs & site=$!
"$NODE" "$GRANARY" serve --config granary.yaml >granary.log 2>&1 & granary=$!
trap 'kill $site $granary' EXIT
curl --silent --retry 60 --retry-delay 1 --retry-connrefused http://127.0.0.1:5000/healthz >ready
curl --silent --retry 60 --retry-delay 1 --retry-connrefused --insecure --head https://${SITE}/ >ready
curl --silent --show-error --insecure --proxy http://127.0.0.1:3128 https://${SITE}/ >got
cmp got sent && echo same
curl --silent --verbose --insecure --proxy http://127.0.0.1:3128 https://${SITE}:8443/ 2>&1 | grep '< HTTP' || true
curl --silent --verbose --insecure --proxy http://127.0.0.1:3128 https://10.0.0.1/ 2>&1 | grep '< HTTP' || true
`;

const SITE_SCRIPT = `
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
const sent = readFileSync("sent");
createServer({ cert: readFileSync("cert"), key: readFileSync("key") }, (_, answer) => answer.end(sent)).listen(443, "${SITE}");
`;

const CONFIG = `
listeners: [{ port: 5000, host: 127.0.0.1, upstream: docker.io }]
storage: { directory: data, maxSize: 1GiB, minFree: 0B }
admin: off
proxy: { host: 127.0.0.1, tunnel: any }
`;

describeWith(["curl", "unshare", "ip"], "curl through the proxy to a site that is no registry", () => {
  const cleanup = new AsyncDisposableStack();
  afterAll(() => cleanup.disposeAsync());

  test("gets the site's own bytes by a tunnel, and is refused other ports and private addresses", async () => {
    const directory = await scratchDirectory(cleanup, "tunnel");
    const files = {
      sent: randomBytes(SIZE),
      cert: serverCert,
      key: serverKey,
      "site.mjs": SITE_SCRIPT,
      "granary.yaml": CONFIG,
    };
    for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content);
    const env = { NODE: process.execPath, GRANARY };
    const said = await runCommand("unshare", ["--net", "sh", "-c", `cd '${directory}'${SCRIPT}`], { env });
    expect(said).toContain("same");
    expect(said.match(/< HTTP\/1.1 403 /g)).toHaveLength(2);
  }, 120_000);
});
