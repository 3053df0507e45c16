/** Granary itself, started as a user starts it: `granary serve --config FILE`, one listener, one internal upstream. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import { startChild } from "../support/children.ts";
import { untilAnswering } from "../support/until-answering.ts";
import type { Contender, Place } from "./contender.ts";

export const UPSTREAM_NAME = "bench.internal";

/**
 * `launcher`: path of granary.js. `lanes`: upstream connections per blob; without it, what Granary does by itself. `admin`: a port for that.
 * `nodeArguments`: what else Node is given. `proxy`: a port for that, where it answers for UPSTREAM_NAME.
 */
export function granary(
  launcher: string,
  lanes?: number,
  admin?: number,
  nodeArguments: readonly string[] = [],
  proxy?: number,
): Contender {
  return {
    name: "granary",
    missing: () => undefined,
    start: async (place) => {
      const port = await freePort();
      const config = join(place.directory, "granary.yaml");
      writeFileSync(config, configuration(place, port, { lanes, admin, proxy }));
      const log = join(place.directory, "granary.log");
      const args = [...nodeArguments, launcher, "serve", "--config", config];
      const child = startChild(process.execPath, args, log, {
        cwd: place.directory,
        enter: place.enter,
      });
      child.stdout.resume();
      await untilAnswering(port, "/v2/", child, log);
      return { pid: child.pid, port, stop: child.stop };
    },
    committedPath: (digest) => {
      const hex = digest.slice("sha256:".length);
      return join("data/blobs/sha256", hex.slice(0, 2), hex);
    },
  };
}

function configuration(
  { directory, upstream }: Place,
  port: number,
  { lanes, admin, proxy }: Readonly<Record<"lanes" | "admin" | "proxy", number | undefined>>,
): string {
  return `admin: ${admin === undefined ? "off" : `{ port: ${admin}, host: 127.0.0.1 }`}
${
  proxy === undefined
    ? ""
    : `proxy: { port: ${proxy}, host: 127.0.0.1 }
`
}listeners:
  - { port: ${port}, host: 127.0.0.1, upstream: ${UPSTREAM_NAME} }
storage: { directory: ${directory}/data, maxSize: 500GiB, minFree: 1GiB }
# As the peers here: errors only, no line per request.
log: { level: error }
upstreams:
  ${UPSTREAM_NAME}:
    endpoints: ["${upstream.url}"]
    internal: true
    tagLifetime: 10m
${lanes === undefined ? "" : `    lanes: ${lanes}\n`}${upstream.caFile ? `    caFile: ${upstream.caFile}\n` : ""}`;
}
