/** Owns the view of one repository or one name in it: what of it is here, who pulled it, and everything that can be done to it. */
import { html } from "htm/preact";
import { get } from "../api.js";
import { warmNow } from "../changes/bring-in.js";
import { useAsked, Waiting } from "../parts/asked.js";
import { Icon } from "../parts/icon.js";
import { useNews } from "../parts/news.js";
import { linkTo, route } from "../route.js";
import { Head } from "./show/head.js";
import { Images } from "./show/images.js";
import { Pulls } from "./show/pulls.js";
import { Tags } from "./show/tags.js";

const PACE_MS = 2_000;

export function Show() {
  const { reference = "" } = route.value.query;
  const news = useNews(PACE_MS);
  const asked = useAsked((signal) => get("/api/v1/contents/show", { reference }, signal), [reference, news]);
  const held = useAsked((signal) => get("/api/v1/held-back", {}, signal), [news]);
  const again = () => {
    asked.again();
    held.again();
  };
  const isGone = /** @type {any} */ (asked.error)?.code === "not-found";
  return html`<p><a class="button" href=${linkTo("contents")}><${Icon} name="back" />Contents</a></p>
    ${isGone ? html`<${Gone} reference=${reference} again=${again} />` : html`<${Waiting} asked=${asked} />`}
    ${!isGone && asked.data !== undefined && html`<${Shown} key=${reference} reference=${reference} shown=${asked.data} held=${held.data?.items ?? []} again=${again} />`}`;
}

/** @param {{ readonly reference: string, readonly again: () => void }} props */
function Gone({ reference, again }) {
  return html`<section class="card empty stack"><h1 class="name title">${reference}</h1>
    <p>Nothing is stored under this name. It comes in when a machine pulls it, or now:</p>
    <p><button type="button" data-change onClick=${() => warmNow(reference, "", again)}><${Icon} name="fetch" />Bring it in</button></p></section>`;
}

/** Whether a reference names one tag or digest, and not a repository. @param {string} reference */
function isOneName(reference) {
  const bare = reference.replace(/^(?:ollama|docker|oci):(?:\/\/)?/, "");
  return bare.includes("@") || bare.slice(bare.lastIndexOf("/") + 1).includes(":");
}

/** @param {{ readonly reference: string, readonly shown: any, readonly held: readonly any[], readonly again: () => void }} props */
function Shown({ reference, shown, held, again }) {
  const { names, more, pulls } = shown;
  const [first] = names;
  const name = names.length === 1 && isOneName(reference) ? first : undefined;
  return html`<${Head} shown=${shown} name=${name} held=${held} again=${again} />
    ${name === undefined && html`<${Tags} shown=${shown} held=${held} more=${more} again=${again} />`}
    ${names.length === 1 && html`<${Images} images=${first.images} />`}
    <${Pulls} pulls=${pulls} />`;
}
