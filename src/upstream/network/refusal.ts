/**
 * Owns what an answer other than the one hoped for says in its own words: it reads the short body of a refusal and makes the failure that
 * carries it. It waits for no long body, and never takes another host's words for the registry's.
 */
import type { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { readErrorWords, type ToldError } from "../../oci/error-body.ts";
import { discardBody } from "./read-body.ts";
import { type Answered, statusError } from "./status-error.ts";
import type { Incoming } from "./transport.ts";

/** What is read of an error's body. Registries send a line or two; front ends send whole pages. */
const MAX_BYTES = 64 * 1024;
/** A verdict is worth more than its explanation. */
const PATIENCE_MS = 10_000;

/** The failure that `reply` is, with its words. The body is over then. */
export async function refusalOf(reply: Answered, clock: Clock): Promise<GranaryError> {
  const told = await wordsOf(reply, clock);
  return statusError(reply, clock.now(), { told });
}

/** Never throws: a body that cannot be read says nothing. Whoever quotes `secrets` of ours quotes too much. */
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
  // An answer to HEAD has no body; Hugging Face says it in a header as well.
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

/** The body, or nothing of one that is too long. */
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
