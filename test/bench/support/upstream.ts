/** Owns the counting upstream (native/upstream.c): starts it over the material, reads and resets its account. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Material } from "../material.ts";
import { startChild } from "./children.ts";

type PathCounts = { readonly gets: number; readonly heads: number; readonly bytes: number };

export type UpstreamAddress = {
  /** Without a path. */
  readonly url: string;
  /** PEM file of the authority that vouches for it, where it speaks TLS. */
  readonly caFile?: string;
};

export type CountingUpstream = UpstreamAddress & {
  readonly port: number;
  readonly pid: number;
  /** Sets the account to zero. */
  readonly reset: () => Promise<void>;
  /** What was asked of one path since the last reset, without one of all; bytes are body bytes. */
  readonly counts: (path?: string) => Promise<PathCounts>;
  readonly stop: () => Promise<void>;
};

let started = 0;

/** `bytesPerSecond` caps each connection; 0 leaves it open. */
export async function startUpstream(
  program: string,
  material: Pick<Material, "entries">,
  directory: string,
  bytesPerSecond = 0,
): Promise<CountingUpstream> {
  const table = join(directory, `upstream-${++started}.table`);
  const lines = material.entries.map((e) => [e.path, e.mediaType, e.digest, e.file, e.size].join("\t"));
  writeFileSync(table, `${lines.join("\n")}\n`);
  const child = startChild(program, [table, String(bytesPerSecond)], `${table}.log`);
  const [firstLine] = await once(child.stdout, "data");
  const port = Number(String(firstLine).trim());
  const url = `http://127.0.0.1:${port}`;
  const ask = async (path: string) => (await fetch(`${url}${path}`)).json();
  return {
    port,
    pid: child.pid,
    url,
    reset: async () => {
      await ask("/-/reset");
    },
    counts: async (path = "") => {
      const counts = (await ask(`/-/counts${path}`)) as Partial<PathCounts>;
      const { gets, heads, bytes } = counts;
      if (gets === undefined || heads === undefined || bytes === undefined)
        throw new Error(`the upstream does not know ${path}`);
      return { gets, heads, bytes };
    },
    stop: child.stop,
  };
}
