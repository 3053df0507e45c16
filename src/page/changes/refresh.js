/** Owns how a person has registries asked again what tags mean. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { counted, nameOf, shortDigest } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";
import { NameList } from "./name-list.js";

const PATH = "/api/v1/contents/refresh";

/** @param {string} pattern @param {() => void} [after] @param {string} [title] as people write it */
export function refreshName(pattern, after, title = pattern) {
  confirmChange({
    title: `Ask again what ${title} means`,
    command: commandLine("granary", "refresh", pattern),
    verb: "Ask again",
    trial: () => post(PATH, { pattern }, { dryRun: true }),
    describe: ({ tags }) =>
      html`<p>${tags.length === 0 ? "There is no tag in it that could be asked for." : `The registry is asked what ${counted(tags.length, "tag")} ${tags.length === 1 ? "means" : "mean"} now. Nothing is removed; what moved is fetched when somebody pulls it.`}</p>
      ${tags.length > 1 && html`<${NameList} names=${tags.map(nameOf)} />`}`,
    isEmpty: ({ tags }) => tags.length === 0,
    act: () => post(PATH, { pattern }),
    done: ({ tags }) => sayingOf(tags, title),
    ...(after && { after }),
  });
}

/** @param {readonly any[]} tags @param {string} title */
function sayingOf(tags, title) {
  const moved = tags.filter(({ before, now }) => now !== undefined && now !== before);
  const failed = tags.filter(({ now }) => now === undefined);
  const [first] = failed;
  if (first !== undefined)
    return failed.length === 1
      ? `${nameOf(first)} could not be asked for: ${first.reason ?? "no answer"}`
      : `${counted(failed.length, "tag")} could not be asked for. ${first.reason ?? ""}`;
  if (moved.length === 0) return `${title}: all is as it was.`;
  if (moved.length === 1) return `${nameOf(moved[0])} moved. It means ${shortDigest(moved[0].now)} now.`;
  return `${counted(moved.length, "tag")} moved.`;
}
