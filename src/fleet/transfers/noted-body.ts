/** Owns what is noted of a body that comes from inside the fleet: its bytes are counted, and whoever chose it hears when it breaks. */
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { TransferParts } from "./transfer-parts.ts";

/** Where bytes came from that did not cross the line. */
export type Inside = "bucket" | "peer" | "salvage";

/** `body`; `came` is called with each piece. Where it breaks, `broke` is called, and it throws `upstream-unavailable`, so that whoever reads asks again. */
export async function* noted(
  body: AsyncIterable<Uint8Array>,
  { metrics }: Pick<TransferParts, "metrics">,
  from: Inside,
  broke: () => void,
  came: () => void = () => undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of body) {
      metrics.fleetBytes.inc({ from }, chunk.length);
      came();
      yield chunk;
    }
  } catch (error) {
    broke();
    if (isGranaryError(error, "upstream-unavailable", "aborted")) throw error;
    throw new GranaryError(
      "upstream-unavailable",
      `Bytes from the ${from} of the fleet ended (${messageOf(error)}).`,
      { cause: error },
    );
  }
}
