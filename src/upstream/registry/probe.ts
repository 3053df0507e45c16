/**
 * Owns the question whether a registry answers at all: its base, `/v2/`, asked without credentials. It belongs to no repository, so the
 * answer is about the registry alone. It never throws.
 */
import { isGranaryError } from "../../errors.ts";
import type { ProbeResult } from "../network/circuit.ts";
import type { Endpoints } from "../network/endpoints.ts";
import { discardBody } from "../network/read-body.ts";
import type { Transport } from "../network/transport.ts";
import { baseUrl } from "../registry-url.ts";

/** The best of what the endpoints say; `signal` is the client's life. */
export async function probeBase(
  transport: Transport,
  endpoints: Endpoints,
  signal: AbortSignal,
): Promise<ProbeResult> {
  let best: ProbeResult = "unanswered";
  for (const endpoint of endpoints.order) {
    const result = await probeOne(transport, baseUrl(endpoint), signal);
    if (result === "answered") return result;
    if (result === "troubled") best = result;
  }
  return best;
}

/** Every answer below 500 shows a working registry, 401 and 404 as well. */
async function probeOne(transport: Transport, url: URL, signal: AbortSignal): Promise<ProbeResult> {
  try {
    const answer = await transport.send({
      kind: "probe",
      method: "GET",
      url,
      headers: {},
      isStranger: false,
      signal,
    });
    discardBody(answer);
    return answer.status < 500 ? "answered" : "troubled";
  } catch (error) {
    // Broken HTTP is an answer too. And on a line that allows few connections this one may be refused while others are served.
    const isThere = isGranaryError(error, "upstream-protocol") || transport.isServing(url);
    return isThere ? "answered" : "unanswered";
  }
}
