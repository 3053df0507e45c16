/** Owns removals: of a name, and of all that nobody used for long. What a keep rule holds stays, unless that is confirmed once more. */
import { html } from "htm/preact";
import { get, post } from "../api.js";
import { counted, nameOf, size } from "../format.js";
import { wholeName } from "../names.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";
import { NameList } from "./name-list.js";

/**
 * `title` is the name as people write it, `here` what of it is here in bytes, `unusedFor` such as "90d".
 * @typedef {{ readonly pattern: string, readonly title: string, readonly here?: number, readonly unusedFor?: string, readonly force?: boolean,
 *   readonly after?: (() => void) | undefined }} Removal
 */

/** @param {Removal} asked */
export function removeName(asked) {
  confirmChange(removal(asked));
}

const AGES = /** @type {const} */ ([
  ["7d", "a week"],
  ["30d", "30 days"],
  ["90d", "90 days"],
  ["180d", "half a year"],
  ["365d", "a year"],
]);

/** @param {{ readonly pattern: string, readonly title: string, readonly after?: () => void }} where */
export function removeUnused({ pattern, title, after }) {
  /** @type {(unusedFor: string) => import("../parts/confirm.js").Change} */
  const unused = (unusedFor) => ({
    ...removal({ pattern, title, unusedFor, after }),
    title: `Clean up ${title}`,
    choice: { label: "Remove what nobody used for", value: unusedFor, options: AGES, with: unused },
  });
  confirmChange(unused("90d"));
}

/**
 * @param {Removal} asked
 * @returns {import("../parts/confirm.js").Change}
 */
function removal(asked) {
  const { pattern, title, unusedFor, force = false, after } = asked;
  const body = { pattern, force, ...(unusedFor !== undefined && { unusedFor }) };
  const options = [
    ...(unusedFor === undefined ? [] : ["--unused-for", unusedFor]),
    ...(force ? ["--force"] : []),
  ];
  /** What a removal does not tell, and who wants it back has to know. @type {readonly string[]} */
  let platforms = [];
  return {
    title: force ? `Remove ${title} although it is kept` : `Remove ${title}`,
    command: commandLine("granary", "remove", pattern, ...options),
    verb: force ? "Remove it all the same" : "Remove",
    isGrave: true,
    trial: async () => {
      const trial = await post("/api/v1/contents/remove", body, { dryRun: true });
      platforms = await platformsOf(trial.repositories);
      return trial;
    },
    describe: (trial) => html`<${WhatGoes} trial=${trial} asked=${asked} />`,
    isEmpty: ({ repositories }) => repositories.length === 0,
    act: () => post("/api/v1/contents/remove", body),
    done: ({ freed, later }) =>
      `Removed ${title}: ${size(freed)} come free${later > 0 ? `, ${size(later)} of it when nobody reads it any more` : ""}.`,
    ended: ({ result }) =>
      `Removed ${counted(result?.names ?? 0, "name")}: ${size(result?.freed ?? 0)} come free.`,
    undoOf: (answer) => wayBack(answer, platforms),
    otherwise: ({ code }) =>
      code === "denied" && !force
        ? { verb: "Remove it all the same", change: removal({ ...asked, force: true }) }
        : undefined,
    ...(after && { after }),
  };
}

/** @param {{ readonly trial: any, readonly asked: Removal }} props */
function WhatGoes({ trial: { repositories, kept, blobs, freed, later }, asked: { here, force, unusedFor } }) {
  const stays = (here ?? 0) - freed;
  /** @type {string[]} */
  const names = repositories.flatMap(namesIn);
  return html`${force === true && html`<p class="banner bad"><span>A rule promises that this is never evicted. The rule stays: what is pulled by this name later is kept again.</span></p>`}
    ${
      repositories.length === 0
        ? html`<p>${unusedFor === undefined ? "There is nothing that may be removed." : "All of it was used in that time: nothing would be removed."}</p>`
        : html`<p><strong>${size(freed)}</strong> ${freed === 0 ? "come free: other names need the same bytes, and those stay." : `come free, in ${counted(blobs, "blob")}.`}
          ${freed > 0 && stays > 0 && ` Another ${size(stays)} of it stay: other names need them too.`}</p>
        ${later > 0 && html`<p class="note">${size(later)} of it are being read or fetched now. They go when that has ended; nobody is cut off.</p>`}
        <p class="quiet">What somebody asks for later is fetched from the internet again.</p>
        <${NameList} names=${names} />`
    }
    ${kept.length > 0 && html`<p class="note">${counted(kept.length, "name")} ${kept.length === 1 ? "stays" : "stay"}: kept by a rule (${[...new Set(kept.map((/** @type {any} */ { rule }) => rule))].slice(0, 3).join(", ")}).</p>`}`;
}

/** @param {any} repository */
function namesIn({ isAll, tags, manifests, ...where }) {
  const name = nameOf(where);
  if (isAll) return [`${name}, all of it: ${counted(tags.length, "tag")}`];
  if (tags.length > 0) return tags.map((/** @type {string} */ tag) => `${name}:${tag}`);
  return [
    `${name}, ${manifests.length === 0 ? "what this digest names" : `${counted(manifests.length, "image")} without a tag`}`,
  ];
}

/** More is not offered back: it would be a download of unknown size. */
const MOST_BACK = 50;
const MOST_REPOSITORIES = 5;

/**
 * For which platforms images are here that go. A repository without a name has none.
 * @param {readonly any[]} repositories
 * @returns {Promise<string[]>}
 */
async function platformsOf(repositories) {
  if (repositories.length > MOST_REPOSITORIES) return [];
  const lists = await Promise.all(
    repositories.map((where) =>
      get("/api/v1/contents", { pattern: wholeName(where), by: "tag", sort: "name" }).catch(() => ({
        items: [],
      })),
    ),
  );
  const tags = lists.flatMap(({ items }) => items);
  return [...new Set(tags.flatMap((/** @type {any} */ tag) => tag.platforms ?? []))];
}

/** @param {any} answer @param {readonly string[]} platforms */
function wayBack({ repositories }, platforms) {
  /** @type {string[]} */
  const references = repositories.flatMap((/** @type {any} */ { tags, manifests, ...where }) =>
    tags.length > 0
      ? tags.map((/** @type {string} */ tag) => wholeName({ ...where, tag }))
      : manifests.map((/** @type {string} */ digest) => wholeName({ ...where, digest })),
  );
  const isMuch = references.length > MOST_BACK || repositories.length > MOST_REPOSITORIES;
  if (references.length === 0 || isMuch) return undefined;
  const body = { references, ...(platforms.length > 0 && { platforms }) };
  return {
    label: "Bring it back",
    act: async () => {
      const { job } = await post("/api/v1/warm", body);
      return `It is being fetched from the internet again: job ${job.id}.`;
    },
  };
}
