/**
 * Owns the socket in the storage directory by which commands on this machine ask a running server: the admin face for whoever may open that
 * file, without a token. It is never reached over a network.
 */
import { createServer, type Server } from "node:http";
import { messageOf } from "../errors.ts";
import type { Log } from "../observe/log.ts";
import { placeSocket, socketDraft } from "../store/control-socket.ts";
import type { AdminListener } from "./admin/admin-listener.ts";

export type AdminSocket = {
  /** Ends what is being answered. Idempotent. */
  close(): Promise<void>;
};

/** Where the socket cannot be made, the log says so and the server goes on: only commands cannot reach it. */
export async function serveSocket(path: string, answer: AdminListener, log: Log): Promise<AdminSocket> {
  // A bundle takes as long to come as it takes.
  const server = createServer({ requestTimeout: 0 }, answer);
  let remove = async () => {};
  try {
    const draft = await socketDraft(path);
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(draft, resolve));
    remove = await placeSocket(draft, path);
  } catch (error) {
    const text =
      "commands such as granary status cannot reach this server by its storage directory: name its admin listener with --server";
    log.warn({ reason: messageOf(error) }, text);
  }
  let closing: Promise<void> | undefined;
  return {
    close: () => {
      closing ??= end(server, remove).catch((error: unknown) => {
        log.warn({ reason: messageOf(error) }, "the socket for commands could not be removed");
      });
      return closing;
    },
  };
}

async function end(server: Server, remove: () => Promise<void>): Promise<void> {
  await remove();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
