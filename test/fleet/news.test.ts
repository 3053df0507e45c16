/** Shows that news of other nodes does what it says, and that news which this version does not know does nothing. */
import { expect, test } from "vitest";
import type { News } from "../../src/fleet/journal.ts";
import { type AskAnew, tellAskAnew } from "../../src/fleet/knowledge/ask-anew.ts";
import { actOnNews } from "../../src/fleet/knowledge/fleet-news.ts";
import { silentLog } from "../../src/observe/log.ts";

/** A journal whose news are heard at once, and what was done about them. */
function heardNews() {
  const listeners = new Set<(news: News, node: string) => void>();
  const done: unknown[] = [];
  const journal = {
    tell: async (news: News) => {
      for (const listener of listeners) listener(news, "b");
    },
    onNews: (listener: (news: News, node: string) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onGap: () => () => undefined,
  };
  const left = async (what: unknown) => void done.push(what);
  actOnNews(
    journal,
    { left, rules: async () => void done.push("rules"), askAnew: (what) => done.push(what) },
    silentLog,
  );
  return { journal, done };
}

test("a thousand tags are told in pieces, and each of them is heard", async () => {
  const { journal, done } = heardNews();
  const tags = Array.from({ length: 1_000 }, (_, index) => `${index}`.padStart(128, "v"));
  await tellAskAnew(journal, { upstream: "docker.io", repository: "library/a", tags, isPushed: false });
  expect(done.flatMap((names) => (names as AskAnew).tags)).toEqual(tags);
  for (const names of done) expect(JSON.stringify(names).length).toBeLessThan(64 * 1024);
});

test("what a newer or a broken node tells is passed over", async () => {
  const { journal, done } = heardNews();
  const right = { upstream: "docker.io", repository: "library/a", tags: ["1"], isPushed: true };
  const wrong = [
    undefined,
    null,
    7,
    {},
    { ...right, tags: "1" },
    { ...right, tags: [7] },
    { ...right, isPushed: 1 },
  ];
  for (const body of wrong) await journal.tell({ kind: "ask-anew", body });
  await journal.tell({ kind: "of-the-future", body: right });
  expect(done).toEqual([]);
  await journal.tell({ kind: "ask-anew", body: { ...right, more: 1 } });
  expect(done).toEqual([right]);
});
