/** Owns the changes of what may pass: a rule that allows or denies, taking it back, and letting through what is held back. */
import { html } from "htm/preact";
import { post } from "../api.js";
import { counted, shortDigest } from "../format.js";
import { confirmChange } from "../parts/confirm.js";
import { commandLine } from "../shell.js";

/** @typedef {import("zod").infer<typeof import("../../http/admin/routes/passage-routes.ts").ruleChangeSchema>} RuleEffect */

/** @typedef {"allow" | "deny"} RuleKind */

/** @param {RuleKind} kind @param {string} pattern @param {() => void} after */
export function addRule(kind, pattern, after) {
  changeRule({
    kind,
    pattern,
    after,
    remove: false,
    title: `${kind === "allow" ? "Allow" : "Deny"} ${pattern}`,
    verb: kind === "allow" ? "Allow" : "Deny",
    done: `From now on ${pattern} is ${kind === "allow" ? "allowed" : "denied"}.`,
  });
}

/** @param {RuleKind} kind @param {string} pattern @param {() => void} after */
export function takeRuleBack(kind, pattern, after) {
  changeRule({
    kind,
    pattern,
    after,
    remove: true,
    title: `Take back: ${kind} ${pattern}`,
    verb: "Take the rule back",
    done: `The rule is gone: ${kind} ${pattern}.`,
  });
}

/** @param {{ kind: RuleKind, pattern: string, after: () => void, remove: boolean, title: string, verb: string, done: string }} change */
function changeRule({ kind, pattern, after, remove, title, verb, done }) {
  /** @param {boolean} isRemoval @param {boolean} dryRun */
  const ask = (isRemoval, dryRun) => post("/api/v1/rules", { kind, pattern, remove: isRemoval }, { dryRun });
  confirmChange({
    title,
    command: commandLine("granary", kind, pattern, remove ? "--remove" : ""),
    verb,
    trial: () => ask(remove, true),
    describe: (effect) => html`<${Effect} effect=${effect} kind=${kind} remove=${remove} />`,
    isEmpty: ({ changes }) => !changes,
    act: () => ask(remove, false),
    done: ({ changes }) => (changes ? done : "It was so already."),
    undoOf: ({ changes }) =>
      changes ? { label: "Undo", act: () => ask(!remove, false).then(after) } : undefined,
    after,
  });
}

/** @param {{ readonly effect: RuleEffect, readonly kind: RuleKind, readonly remove: boolean }} props */
function Effect({ effect: { changes, refused, passing, isCut, closed }, kind, remove }) {
  if (!changes) return html`<p>Nothing changes: it is so already.</p>`;
  const isQuiet = refused.length === 0 && passing.length === 0;
  return html`
    ${!remove && kind === "deny" && html`<p>What the pattern stands for is refused from now on, also where it is stored. Nothing is removed.</p>`}
    ${closed.map((/** @type {string} */ name) => html`<p class="note" key=${name}>Of ${name} nothing passes any more but what is allowed.</p>`)}
    ${isQuiet && html`<p class="quiet">Nothing that is stored now is touched by it.</p>`}
    <${Names} names=${refused} sentence="not served any more" isCut=${isCut} />
    <${Names} names=${passing} sentence="served again" isCut=${isCut} />`;
}

/** @param {{ readonly names: readonly string[], readonly sentence: string, readonly isCut: boolean }} props */
function Names({ names, sentence, isCut }) {
  if (names.length === 0) return null;
  return html`<p><strong>${isCut ? "More than " : ""}${counted(names.length, "stored name")}</strong> ${names.length === 1 ? "is" : "are"} ${sentence}:</p>
    <ul class="rows list">${names.map((name) => html`<li key=${name}><span class="name">${name}</span></li>`)}</ul>`;
}

/** @param {string} pattern @param {() => void} after */
export function letThrough(pattern, after) {
  confirmChange({
    title: `Let ${pattern} through`,
    command: commandLine("granary", "approve", pattern),
    verb: "Let it through",
    trial: () => post("/api/v1/approve", { pattern }, { dryRun: true }),
    describe: ({ approved }) => html`
      <p>Clients get what is new from now on, before its time of waiting is over. This cannot be taken back; a rule that denies it can be made.</p>
      <ul class="rows list">${approved.map(
        (
          /** @type {any} */ { name, oldDigest, newDigest },
        ) => html`<li key=${`${name} ${newDigest}`}><span class="name">${name}</span>
        <span class="small quiet wide-row">${oldDigest === undefined ? "new" : `now ${shortDigest(oldDigest)}, then`} ${shortDigest(newDigest)}</span></li>`,
      )}</ul>`,
    isEmpty: ({ approved }) => approved.length === 0,
    act: () => post("/api/v1/approve", { pattern }),
    done: () => `${pattern} may pass.`,
    after,
  });
}
