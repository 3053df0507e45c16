/** Owns how a person makes room: what was used longest ago goes first, as it would by itself. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { counted, size } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";

/** @typedef {Extract<import("zod").infer<typeof import("../../http/admin/routes/removing-routes.ts").evictAnswerSchema>, { freed: number }>} Room */

const AMOUNTS = ["1GiB", "5GiB", "10GiB", "20GiB", "50GiB", "100GiB"];

/** @param {string} free such as 5GiB; it can be changed in the dialog @param {() => void} after */
export function makeRoom(free, after) {
  confirmChange(eviction(free, after));
}

/**
 * @param {string} free @param {() => void} after
 * @returns {import("../parts/confirm.js").Change}
 */
function eviction(free, after) {
  /** @param {boolean} dryRun */
  const ask = (dryRun) => post("/api/v1/contents/evict", { free: free.trim() }, { dryRun });
  return {
    title: "Make room on the disk",
    command: commandLine("granary", "evict", "--free", free.trim()),
    verb: "Free it",
    isGrave: true,
    choice: {
      label: "How much is to come free",
      value: free,
      suggestions: AMOUNTS,
      hint: "Such as 500MiB or 10GiB.",
      with: (value) => eviction(value, after),
    },
    trial: () => ask(true),
    describe: (trial) => html`<${WhatGoes} trial=${trial} free=${free} />`,
    isEmpty: ({ freed }) => freed === 0,
    act: () => ask(false),
    done: ({ freed }) => `${size(freed)} are free. What went is fetched again when somebody asks for it.`,
    ended: ({ result }) => `${size(result?.freed ?? 0)} are free.`,
    after,
  };
}

/** @param {{ readonly trial: Room, readonly free: string }} props */
function WhatGoes({ trial: { freed, isLess, next, more }, free }) {
  if (freed === 0) return html`<p>Nothing may go: all that is here is kept, or is being read.</p>`;
  return html`<p><strong>${size(freed)}</strong> come free. What was used longest ago goes first; what is kept or being read stays.</p>
    ${isLess && html`<p class="note">That is less than ${free}: there is no more that may go.</p>`}
    <ul class="rows list" tabindex=${next.length > 5 ? 0 : undefined} aria-label="What goes">${byName(next).map(([name, bytes]) => html`<li key=${name}><span class="name">${name}</span><span class="right quiet">${size(bytes)}</span></li>`)}
    ${more > 0 && html`<li class="quiet">and ${counted(more, "more blob")}</li>`}</ul>`;
}

/**
 * People know names and not blobs: what goes of each, the one first whose first blob goes first.
 * @param {readonly any[]} next
 */
function byName(next) {
  /** @type {Map<string, number>} */
  const sums = new Map();
  for (const { what, names, size: bytes } of next) {
    const name = names[0] ?? what;
    sums.set(name, (sums.get(name) ?? 0) + bytes);
  }
  return [...sums];
}
