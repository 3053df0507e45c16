/** Owns how the upstreams are: whether each works, why not and when it is asked again, how fast it answers, and how many pulls are left there. */
import { html } from "htm/preact";
import { ago, duration, moment } from "../format.js";

/** @typedef {import("../live.js").Status} Status */
/** @typedef {Status["upstreams"][number]} Upstream */

const DAY_MS = 86_400_000;
/** Nobody needs the seconds of a promise. */
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/** @param {{ readonly upstreams: readonly Upstream[], readonly now: number }} props */
export function Upstreams({ upstreams, now }) {
  return html`<section class="card"><header><h2>Upstreams</h2></header>
    <ul class="upstreams">${upstreams.map((upstream) => html`<${Row} key=${upstream.name} upstream=${upstream} now=${now} />`)}</ul></section>`;
}

/** @param {{ readonly upstream: Upstream, readonly now: number }} props */
function Row({ upstream, now }) {
  const [kind, text, why] = stateOf(upstream, now);
  return html`<li>
    <p class="now-line"><span class="cut"><span class=${`dot ${kind} inline`}></span> ${upstream.name}</span><span class="small quiet">${text}</span></p>
    ${why !== "" && html`<p class="small quiet name">${why}</p>`}
    <${Budget} limit=${upstream.rateLimit} now=${now} />
    ${
      upstream.endpoints !== undefined &&
      html`<ul class="small quiet">${upstream.endpoints.map(
        (endpoint) =>
          html`<li key=${endpoint.host} class="now-line"><span class="cut">${endpoint.host}${endpoint.isFirst && " (asked first)"}</span><span>${endpointText(endpoint, now)}</span></li>`,
      )}</ul>`
    }
  </li>`;
}

/** @param {{ readonly limit: Upstream["rateLimit"], readonly now: number }} props */
function Budget({ limit: told, now }) {
  const { limit, remaining } = told ?? {};
  const back = backText(told, now);
  if (remaining === undefined) return back !== "" && html`<p class="small quiet">${back}</p>`;
  const meter = {
    width: `${limit === undefined || limit <= 0 ? 0 : Math.min(100, (remaining / limit) * 100)}%`,
  };
  return html`${limit !== undefined && html`<div class="meter"><i style=${meter}></i></div>`}
    <p class="small quiet">${remaining.toLocaleString("en")}${limit !== undefined && ` of ${limit.toLocaleString("en")}`} pulls left${back !== "" && `; ${back}`}</p>`;
}

/**
 * When there is more again: exactly where the upstream says so, else the latest.
 * @param {Upstream["rateLimit"]} told
 * @param {number} now epoch ms
 */
function backText(told, now) {
  const { resetAt, isStated, limit, remaining } = told ?? {};
  if (resetAt === undefined || resetAt <= now || (limit !== undefined && remaining === limit)) return "";
  const isSoon = resetAt - now < DAY_MS;
  const when = `${isSoon ? CLOCK.format(resetAt) : moment(resetAt, now)}, in ${duration(resetAt - now)}`;
  return isStated === true ? `allows more at ${when}` : `all back by ${when}`;
}

/** @param {NonNullable<Upstream["endpoints"]>[number]} endpoint @param {number} now epoch ms */
function endpointText({ retryAt, latencyMs }, now) {
  if (retryAt !== undefined && retryAt > now) return `fails; again in ${duration(retryAt - now)}`;
  return latencyMs === undefined ? "" : answersIn(latencyMs);
}

/** @param {number} ms */
function answersIn(ms) {
  return `answers in ${ms < 1_000 ? `${Math.max(1, Math.round(ms))} ms` : `${(ms / 1000).toFixed(1)} s`}`;
}

/**
 * The mark, the state in a few words, and the sentence that explains it.
 * @param {Upstream} upstream
 * @param {number} now epoch ms
 * @returns {readonly [string, string, string]}
 */
function stateOf(
  {
    name,
    circuit,
    openBecause,
    offlineSince,
    retryAt,
    reason,
    latencyMs,
    failed = 0,
    requests = 0,
    rateLimit,
  },
  now,
) {
  if (offlineSince !== undefined)
    return [
      "note",
      `set offline ${ago(offlineSince, now)}`,
      "Nothing is asked of it; what is stored is served.",
    ];
  if (circuit === "closed") {
    const some =
      failed > 0
        ? `${failed.toLocaleString("en")} of the last ${requests.toLocaleString("en")} requests failed.`
        : "";
    // Of one that nobody has asked, nothing is known.
    if (latencyMs === undefined) return [failed > 0 ? "note" : "quiet", "not asked lately", some];
    const isLimited = rateLimit?.isStated === true && (rateLimit.resetAt ?? 0) > now;
    return [failed > 0 || isLimited ? "note" : "good", answersIn(latencyMs), some];
  }
  const why = `${(reason ?? `${name} does not answer`).replace(/\.$/, "")}.`;
  const again =
    retryAt === undefined || retryAt <= now ? "" : ` It is asked again in ${duration(retryAt - now)}.`;
  if (openBecause === "limited") return ["note", "limits us", `${why}${again}`];
  return ["bad", circuit === "probing" ? "being tried" : "does not work", `${why}${again}`];
}
