/** Owns the changes that a person makes by the page: for each, its dry run in words, its command line, and the way back where there is one. */
import { html } from "htm/preact";
import { post, remove } from "./api.js";
import { counted, nameOf, size } from "./format.js";
import { confirmChange } from "./parts/confirm.js";

/** A name as a shell takes it. @param {string} text */
function quoted(text) {
  return /^[\w./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** @param {string} pattern @param {() => void} [after] */
export function removeName(pattern, after) {
  /** @param {boolean} dryRun */
  const ask = (dryRun) => post("/api/v1/contents/remove", { pattern }, { dryRun });
  confirmChange({
    title: `Remove ${pattern}`,
    command: `granary remove ${quoted(pattern)}`,
    verb: "Remove",
    trial: () => ask(true),
    describe: ({ repositories, kept, blobs, freed, later }) => html`
      <p><strong>${size(freed)}</strong> come free, in ${counted(blobs, "blob")}. Blobs that others share stay.</p>
      ${later > 0 && html`<p class="note">${size(later)} of it are being read or fetched now, and go when that has ended.</p>`}
      ${kept.length > 0 && html`<p class="note">${counted(kept.length, "name")} stay, held by keep rules.</p>`}
      <ul class="rows list">${repositories.slice(0, 100).map(
        (/** @type {any} */ each) => html`<li><span class="name">${nameOf(each)}</span>
        <span class="right quiet">${each.isAll ? "all of it" : counted(each.tags.length + each.manifests.length, "name")}</span></li>`,
      )}</ul>`,
    act: () => ask(false),
    done: ({ freed }) =>
      `Removed ${pattern}: ${size(freed)} are free. It is fetched again when somebody asks for it.`,
    ...(after && { after }),
  });
}

/** @param {string} pattern @param {() => void} [after] */
export function keepName(pattern, after) {
  confirmChange({
    title: `Keep ${pattern}`,
    command: `granary keep ${quoted(pattern)}`,
    verb: "Keep",
    trial: () => post("/api/v1/keep", { pattern }, { dryRun: true }),
    describe: ({
      names,
      size: here,
      wanted,
    }) => html`<p>It is never evicted, also what is pulled by this name later.</p>
      <p class="quiet">It stands for ${counted(names, "name")} now: ${size(here)} here, ${size(wanted)} when all of it is.</p>`,
    act: () => post("/api/v1/keep", { pattern }),
    done: () => `${pattern} is kept.`,
    undo: () => remove("/api/v1/keep", { pattern }).then(after),
    ...(after && { after }),
  });
}

/** @param {string} pattern @param {() => void} [after] */
export function unkeepName(pattern, after) {
  confirmChange({
    title: `Do not keep ${pattern} any more`,
    command: `granary unkeep ${quoted(pattern)}`,
    verb: "Take the rule back",
    trial: () => remove("/api/v1/keep", { pattern, dryRun: true }),
    describe: ({ names, size: here }) =>
      html`<p>${counted(names, "name")} with ${size(here)} may be evicted again, when they were not used for long.</p>`,
    act: () => remove("/api/v1/keep", { pattern }),
    done: () => `${pattern} may be evicted again.`,
    undo: () => post("/api/v1/keep", { pattern }).then(after),
    ...(after && { after }),
  });
}

/** @param {string} pattern @param {() => void} [after] */
export function refreshName(pattern, after) {
  confirmChange({
    title: `Ask again what ${pattern} means`,
    command: `granary refresh ${quoted(pattern)}`,
    verb: "Ask again",
    trial: () => post("/api/v1/contents/refresh", { pattern }, { dryRun: true }),
    describe: ({ tags }) =>
      html`<p>The registry is asked what ${counted(tags.length, "tag")} stand for. Nothing is removed.</p>`,
    act: () => post("/api/v1/contents/refresh", { pattern }),
    done: ({ tags }) => {
      const moved = tags.filter(
        (/** @type {any} */ { before, now }) => now !== undefined && now !== before,
      ).length;
      return moved === 0 ? `${pattern}: all is as it was.` : `${counted(moved, "tag")} moved.`;
    },
    ...(after && { after }),
  });
}

/** @param {string} reference @param {string} platforms @param {() => void} [after] */
export function warmNow(reference, platforms, after) {
  const chosen = platforms.split(/[\s,]+/).filter(Boolean);
  const ask = { references: [reference], ...(chosen.length > 0 && { platforms: chosen }) };
  const options = chosen.map((platform) => ` --platform ${platform}`).join("");
  confirmChange({
    title: `Bring in ${reference}`,
    command: `granary warm ${quoted(reference)}${options}`,
    verb: "Bring it in",
    trial: () => post("/api/v1/warm", ask, { dryRun: true }),
    describe: ({ preview: { lines, bytes, pulls } }) => html`
      <p><strong>${size(bytes.toFetch)}</strong> to fetch, ${size(bytes.here)} here already. Clients that wait go first.</p>
      ${pulls.map((/** @type {any} */ { upstream, remaining, limit }) => remaining !== undefined && html`<p class="quiet">${upstream} still allows ${remaining} of ${limit} pulls.</p>`)}
      <ul class="rows list">${lines.map(
        (/** @type {any} */ line) => html`<li><span class="name">${line.reference}</span>
        <span class=${`right ${line.outcome === "failed" ? "bad" : "quiet"}`}>${line.outcome === "failed" ? line.reason : line.outcome === "here" ? "is here" : size(line.toFetch)}</span></li>`,
      )}</ul>`,
    act: () => post("/api/v1/warm", ask),
    done: ({ job }) => `It is coming in: job ${job.id}.`,
    ...(after && { after }),
  });
}

/** @param {() => void} [after] */
export function evictNow(after, free = "1GiB") {
  /** @param {boolean} dryRun */
  const ask = (dryRun) => post("/api/v1/contents/evict", { free }, { dryRun });
  confirmChange({
    title: `Free ${free}`,
    command: `granary evict --free ${free}`,
    verb: "Evict",
    trial: () => ask(true),
    describe: ({ freed, isLess, next, more }) => html`
      <p><strong>${size(freed)}</strong> come free: what was used longest ago.${isLess && html`<span class="note"> There is no more that may go.</span>`}</p>
      <ul class="rows list">${next.map((/** @type {any} */ victim) => html`<li key=${victim.what}><span class="name">${victim.names[0] ?? victim.what}</span><span class="right quiet">${size(victim.size)}</span></li>`)}</ul>
      ${more > 0 && html`<p class="quiet">and ${more} more</p>`}`,
    act: () => ask(false),
    done: ({ freed }) => `${size(freed)} are free.`,
    ...(after && { after }),
  });
}
