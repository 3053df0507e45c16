/**
 * zot serving its own store, which is laid out by hard links as zot documents it: an OCI layout for each repository. It is no proxy here: on
 * the first request for a manifest it copies the whole image before it answers, so its cold blobs are never those of one request.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort } from "../../support/free-ports.ts";
import { type Material, REPOSITORY, TAG } from "../material.ts";
import { startChild } from "../support/children.ts";
import { findCommand } from "../support/find-command.ts";
import { linkOver } from "../support/link-over.ts";
import { untilAnswering } from "../support/until-answering.ts";
import type { Contender } from "./contender.ts";

export const zot: Contender = {
  name: "zot",
  missing: () => (findCommand("zot") ? undefined : "zot is not on the PATH."),
  start: async ({ directory, material, enter }) => {
    const port = await freePort();
    const store = join(directory, "store");
    layOut(join(store, REPOSITORY), material);
    const config = join(directory, "zot.json");
    writeFileSync(config, JSON.stringify(configuration(store, port)));
    const log = join(directory, "zot.log");
    const child = startChild(findCommand("zot") ?? "zot", ["serve", config], log, { enter });
    child.stdout.resume();
    await untilAnswering(port, "/v2/", child, log);
    return { pid: child.pid, port, stop: child.stop };
  },
};

function layOut(root: string, { manifest, entries }: Material): void {
  for (const { file, digest } of entries) {
    const blob = join(root, "blobs", digest.replace(":", "/"));
    mkdirSync(dirname(blob), { recursive: true });
    linkOver(file, blob);
  }
  const { digest, size, mediaType } = manifest;
  const annotations = { "org.opencontainers.image.ref.name": TAG };
  const index = { schemaVersion: 2, manifests: [{ mediaType, digest, size, annotations }] };
  writeFileSync(join(root, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(join(root, "index.json"), JSON.stringify(index));
}

function configuration(store: string, port: number): object {
  return {
    distSpecVersion: "1.1.1",
    storage: { rootDirectory: store, gc: false, dedupe: false },
    http: { address: "127.0.0.1", port: String(port) },
    log: { level: "error" },
  };
}
