/** Owns the asking side of control.ts: whether a server runs in a storage directory, and what it answers. */
import { type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { GranaryError, messageOf } from "../../errors.ts";
import type { VerifyOptions, VerifyReport } from "../../mirror/upkeep/verify.ts";
import type { ControlLine } from "./control.ts";

/**
 * The report of the server at `path`; undefined when no server answers there. Throws `aborted`, `denied` (the server is another user's),
 * and `upstream-unavailable` when the server ended before it was done.
 */
export async function askToVerify(path: string, options: VerifyOptions): Promise<VerifyReport | undefined> {
  const answer = await connect(path, options);
  if (answer === undefined) return undefined;
  let line: ControlLine | undefined;
  try {
    for await (const text of createInterface({ input: answer })) {
      line = JSON.parse(text) as ControlLine;
      if ("progress" in line) options.onProgress?.(line.progress);
    }
  } catch (error) {
    throw ended(options, error);
  }
  if (line !== undefined && "report" in line) return line.report;
  if (line !== undefined && "failure" in line) throw new GranaryError("store-damaged", line.failure);
  throw ended(options);
}

function connect(path: string, { repair, signal }: VerifyOptions): Promise<IncomingMessage | undefined> {
  return new Promise((resolve, reject) => {
    const asking = request({
      socketPath: path,
      agent: false,
      method: "POST",
      path: `/verify?repair=${repair}`,
      ...(signal !== undefined && { signal }),
    });
    asking.on("response", resolve);
    asking.on("error", (error) => {
      const code = "code" in error ? String(error.code) : "";
      // There is no socket, or one that a dead server left behind, or no socket can have such a path.
      if (["ENOENT", "ECONNREFUSED", "ENOTSOCK", "ENOTDIR", "EINVAL", "ENAMETOOLONG"].includes(code))
        resolve(undefined);
      else if (code === "EACCES" || code === "EPERM") reject(otherUsers(path));
      else reject(ended({ repair, ...(signal !== undefined && { signal }) }, error));
    });
    asking.end();
  });
}

function otherUsers(path: string): GranaryError {
  const text = `A Granary runs in this storage directory, and only the user that runs it may ask it (${path}): run this as that user, in a container with "docker exec".`;
  return new GranaryError("denied", text, { target: path });
}

function ended({ signal }: VerifyOptions, cause?: unknown): GranaryError {
  if (signal?.aborted === true) return new GranaryError("aborted", "The verification was stopped.");
  const why = cause === undefined ? "it ended before it was done" : messageOf(cause);
  const text = `The Granary that runs in this storage directory gave no answer: ${why}.`;
  return new GranaryError("upstream-unavailable", text, { cause });
}
