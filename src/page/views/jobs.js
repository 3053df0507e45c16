/** Owns the view of jobs and rules: its four parts, which of them is open, and which cards each has. */
import { html } from "htm/preact";
import { useEffect } from "preact/hooks";
import { makeRoom } from "../changes/evict.js";
import { ask, linkTo, route } from "../route.js";
import { BandwidthCard } from "./jobs/bandwidth.js";
import { BringIn } from "./jobs/bring-in.js";
import { ExportCard, ImportCard, TransferCard } from "./jobs/bundles.js";
import { DiskCard } from "./jobs/disk.js";
import { askAgain } from "./jobs/fresh.js";
import { HeldBackTags } from "./jobs/held-back.js";
import { JobList } from "./jobs/job-list.js";
import { KeptNames } from "./jobs/kept.js";
import { MayPass } from "./jobs/may-pass.js";
import { OfflineCard } from "./jobs/offline.js";
import { SettingsCard } from "./jobs/settings.js";
import { WarmUpList } from "./jobs/warm-ups.js";

/** Each with its two columns of cards. */
const PARTS = /** @type {const} */ ([
  ["work", "Jobs", [BringIn, WarmUpList], [JobList]],
  ["rules", "Rules", [HeldBackTags, KeptNames], [MayPass, SettingsCard]],
  ["line", "The line", [OfflineCard], [BandwidthCard]],
  ["disk", "Storage", [TransferCard, ExportCard, ImportCard], [DiskCard, JobList]],
]);

export function Jobs() {
  const { part: asked, evict } = route.value.query;
  const part = PARTS.find(([name]) => name === (evict === undefined ? asked : "disk")) ?? PARTS[0];
  useEffect(() => {
    if (evict === undefined) return;
    ask({ evict: undefined, part: "disk" });
    makeRoom("1GB", askAgain);
  }, [evict]);
  const [open, , left, right] = part;
  return html`<h1 class="hidden">Jobs and rules</h1>
    <nav class="tabs" aria-label="Jobs and rules">${PARTS.map(
      ([name, label]) =>
        html`<a key=${name} href=${linkTo("jobs", { part: name })} aria-current=${name === open ? "page" : undefined}>${label}</a>`,
    )}</nav>
    <div class="columns" key=${open}>
      <div class="stack">${left.map((Card) => html`<${Card} key=${Card.name} />`)}</div>
      <div class="stack">${right.map((Card) => html`<${Card} key=${Card.name} />`)}</div>
    </div>`;
}
