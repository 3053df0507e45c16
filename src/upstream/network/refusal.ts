/**
 * Owns the reading of what an error answer says in its body, and the error that carries these words. It does not wait long for a body, and
 * reads no long one.
 */
import type { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { readErrorWords, type ToldError } from "../../oci/error-body.ts";
import { type Answered, statusError } from "./answer-error.ts";
import { discardBody } from "./read-body.ts";
import type { Incoming } from "./transport.ts";

/** What is read of an error's body. Registries send a line or two; front ends send whole pages. */
const MAX_BYTES = 64 * 1024;
/** The longest wait for the words: the status, which came already, is worth more than they are. */
const PATIENCE_MS = 10_000;

/** The error for `reply`, with the words of its body, which is then read to its end. */
export async function readRefusal(reply: Answered, clock: Clock): Promise<GranaryError> {
  const told = await wordsOf(reply, clock);
  return statusError(reply, clock.now(), { told });
}

/** The errors that a body tells, without those that quote one of our `secrets`. Never throws: a body that cannot be read tells nothing. */
export async function wordsOf(
  incoming: Incoming & { readonly secrets?: readonly string[] },
  clock: Clock,
): Promise<readonly ToldError[]> {
  const { secrets = [] } = incoming;
  const told = await readWords(incoming, clock);
  return told.filter(({ message }) => !secrets.some((secret) => secret !== "" && message.includes(secret)));
}

async function readWords(incoming: Incoming, clock: Clock): Promise<readonly ToldError[]> {
  const { headers, body } = incoming;
  const said = headers["x-error-message"];
  // The answer to a HEAD has no body; Hugging Face also sends the message in a header.
  const fallback = typeof said === "string" ? readErrorWords(Buffer.from(said, "latin1"), "text/plain") : [];
  const isEncoded = !["", "identity"].includes(headers["content-encoding"] ?? "");
  if (isEncoded || Number(headers["content-length"] ?? 0) > MAX_BYTES) {
    discardBody(incoming);
    return fallback;
  }
  const timer = clock.after(PATIENCE_MS, () => body.destroy());
  try {
    const told = readErrorWords(await readFront(incoming), headers["content-type"]);
    return told.length > 0 ? told : fallback;
  } catch {
    return fallback;
  } finally {
    timer.cancel();
  }
}

/** The body; empty when it is too long. */
async function readFront({ body }: Incoming): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BYTES) return Buffer.alloc(0);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
