/**
 * Owns whether one upstream can be asked, and what it says of us: firewall, name, certificate, login, limits and the clock. It asks one HEAD,
 * which Docker Hub does not count (docs/protocol.md#docker-hub-rate-limits).
 */
import { formatDuration } from "../bytes/units.ts";
import { type GranaryError, isGranaryError, messageOf } from "../errors.ts";
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../oci/media-types.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import { type Observation, says, sentence } from "./observation.ts";

const ACCEPT = [OCI_INDEX, OCI_MANIFEST, DOCKER_LIST, DOCKER_MANIFEST];

/** Never throws. */
export async function checkUpstream(client: UpstreamClient): Promise<Observation[]> {
  const { name, names } = client.upstream;
  const { good, wrong } = says(`upstream ${name}`);
  // Docker Hub tells its limits only with a repository that is there. Of others, the answer that it is not there shows too that they work.
  const repository = names === "hub" ? "library/hello-world" : "library/granary-doctor";
  try {
    await client.headManifest({ repository, reference: "latest", accept: ACCEPT, userAgent: undefined });
  } catch (error) {
    if (!isGranaryError(error, "not-found")) return [wrong(...failure(error)), ...clockFindings(client)];
  }
  const as = client.upstream.credentials === undefined ? "" : ", and takes our login";
  return [good(`It answers${as}.`), ...budgetFindings(client), ...clockFindings(client)];
}

/** The sentence, and what to do where that does not say it. */
function failure(error: unknown): [text: string, todo?: string] {
  const isLimited = isGranaryError(error, "rate-limited");
  const text = sentence(`${isLimited ? "it limits us, its budget is used up: " : ""}${messageOf(error)}`);
  if (!isGranaryError(error)) return [text];
  const todo = error.facts.saysWhatToDo === true ? undefined : todoFor(error);
  return todo === undefined ? [text] : [text, todo];
}

function todoFor({ code, facts, message }: GranaryError): string | undefined {
  switch (code) {
    case "rate-limited":
      return `Pulls of what is not stored fail until then${facts.retryAfterMs === undefined ? "" : ` (${formatDuration(facts.retryAfterMs)})`}: give Granary a login at this registry, which has a larger budget.`;
    case "unauthorized":
      return "Correct the login of this upstream in the settings (username, password or passwordFile), or take it out.";
    case "denied":
      return /realm/i.test(message)
        ? "If that token server belongs to this registry, name its host under realms of this upstream."
        : "Allow this in the settings of this upstream, if it is meant.";
    case "upstream-unavailable":
      return "Check the name server, the firewall and the proxy variables (HTTPS_PROXY, NO_PROXY) of this machine.";
    default:
      return undefined;
  }
}

function budgetFindings(client: UpstreamClient): Observation[] {
  const { note, wrong } = says(`upstream ${client.upstream.name}`);
  const { limit, remaining } = client.status().rateLimit ?? {};
  if (limit === undefined || remaining === undefined) return [];
  const todo =
    "Give Granary a login at this registry, which has a larger budget, or wait: it comes back within hours.";
  if (remaining <= 0) return [wrong(`Its budget is used up: 0 of ${limit} pulls are left.`, todo)];
  return [note(`${remaining} of ${limit} pulls are left.`, ...(remaining * 10 < limit ? [todo] : []))];
}

/** From here on tokens and certificates begin to fail. */
const MOST_CLOCK_ERROR_MS = 60_000;

function clockFindings(client: UpstreamClient): Observation[] {
  const { clockAheadMs } = client.status();
  if (clockAheadMs === undefined) return [];
  const { good, wrong } = says("clock");
  const off = Math.abs(clockAheadMs);
  if (off < MOST_CLOCK_ERROR_MS) return [good(`It agrees with that of ${client.upstream.name}.`)];
  const text = `This machine's clock is ${formatDuration(Math.round(off / 1000) * 1000)} ${clockAheadMs > 0 ? "ahead of" : "behind"} that of ${client.upstream.name}: tokens and certificates are taken for expired.`;
  return [
    wrong(text, "Set the clock, and let something keep it right, such as systemd-timesyncd or chrony."),
  ];
}
