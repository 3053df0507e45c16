/** Owns reading how much of one repository the server of this machine has answered, from the pulls that it keeps. */
import type { Command } from "commander";
import type { Served } from "../../doctor/prove-pull.ts";
import { askServer } from "../admin/ask-server.ts";

const pullsSchema = async () => (await import("../../http/admin/routes/pull-routes.ts")).pullsSchema;

/** Enough for what a client's pull can add to them. */
const LATEST = 20;

/** Undefined where no server can be asked. */
export async function countPulls(
  command: Command,
  upstream: string,
  repository: string,
): Promise<Served | undefined> {
  try {
    const query = { upstream, repository, limit: LATEST };
    const { items } = await askServer(command, {}, (client) =>
      client.get(pullsSchema, "/api/v1/pulls", query),
    );
    const [{ id = 0 } = {}] = items;
    // Ids grow, and a pull that goes on grows by its blobs: either shows that something came.
    const parts = items.reduce((sum, { blobs, hits, misses }) => sum + blobs + hits + misses, 0);
    return { requests: id + parts, bytes: items.reduce((sum, { served }) => sum + served, 0) };
  } catch {
    return undefined;
  }
}
