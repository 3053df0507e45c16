/**
 * Owns what commands on this machine may ask a running server, over a socket in its storage directory: to verify what it has stored, which
 * nobody else can while it holds the directory. It is never reached over a network.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Mirror } from "../../mirror/mirror.ts";
import type { Log } from "../../observe/log.ts";
import { placeSocket, socketDraft } from "../../store/control-socket.ts";

export type Control = {
  /** Ends what is being answered. Idempotent. */
  close(): Promise<void>;
};

/** One line of an answer: how far it is, and in the end what was found or why not. */
export type ControlLine =
  | { readonly progress: { readonly done: number; readonly total: number } }
  | { readonly report: Awaited<ReturnType<Mirror["verify"]>> }
  | { readonly failure: string };

/** Where the socket cannot be made, the log says so and the server goes on: only commands cannot reach it. */
export async function openControl(path: string, mirror: Pick<Mirror, "verify">, log: Log): Promise<Control> {
  const server = createServer((incoming, outgoing) => void answer(mirror, incoming, outgoing));
  let remove = async () => {};
  try {
    const draft = await socketDraft(path);
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(draft, resolve));
    remove = await placeSocket(draft, path);
  } catch (error) {
    const text =
      "commands such as granary verify cannot reach this server while it runs: stop it to use them";
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

async function answer(
  mirror: Pick<Mirror, "verify">,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  incoming.resume();
  const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://granary");
  if (incoming.method !== "POST" || pathname !== "/verify") return void outgoing.writeHead(404).end();
  const left = new AbortController();
  outgoing.on("close", () => left.abort());
  const write = (line: ControlLine) => outgoing.write(`${JSON.stringify(line)}\n`);
  outgoing.writeHead(200, { "Content-Type": "application/x-ndjson" });
  try {
    const repair = searchParams.get("repair") === "true";
    const onProgress = (progress: { done: number; total: number }) => void write({ progress });
    write({ report: await mirror.verify({ repair, onProgress, signal: left.signal }) });
  } catch (error) {
    if (!isGranaryError(error, "aborted")) write({ failure: messageOf(error) });
  }
  outgoing.end();
}
