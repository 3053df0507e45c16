/** Owns what the reader of this page may do: asked when it opens, and again whenever the server comes back. Until that is known, nothing is offered. */
import { effect, signal } from "@preact/signals";
import { get } from "./api.js";
import { connection } from "./live.js";

export const access = signal(
  /** @type {{ readonly mayChange: boolean, readonly needsToken: boolean } | undefined} */ (undefined),
);

let isKnown = false;

effect(() => {
  const state = connection.value;
  if (state === "lost") isKnown = false;
  if (isKnown || state === "lost" || state === "connecting") return;
  isKnown = true;
  get("/api/v1/access").then(
    (answer) => {
      access.value = answer;
    },
    ({ code }) => {
      isKnown = false;
      // Whoever may not is told so when they try.
      if (code !== "unreachable") access.value = { mayChange: true, needsToken: false };
    },
  );
});

/** One rule of the style hides all controls of a change (`data-change`) from who may only look. */
effect(() => {
  const { mayChange } = access.value ?? {};
  document.documentElement.dataset.access = mayChange === undefined ? "unknown" : mayChange ? "all" : "look";
});
