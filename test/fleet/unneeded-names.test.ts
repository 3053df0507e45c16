/** Shows which names leave a fleet by themselves: for all by the uses at all nodes, and each node's copies by its own. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { sharedContents } from "../../src/fleet/knowledge/shared-contents.ts";
import { sharedMetadata } from "../../src/fleet/knowledge/shared-metadata.ts";
import { unneededNames } from "../../src/fleet/knowledge/unneeded-names.ts";
import type { Leaving } from "../../src/metadata/content-removal.ts";
import { openDatabase } from "../../src/metadata/database.ts";
import { Unneeded } from "../../src/mirror/contents/unneeded.ts";
import type { Clock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const DAY_MS = 86_400_000;
const WHERE = { upstream: "docker.io", repository: "library/alpine" };
const IMAGE = "application/vnd.oci.image.manifest.v1+json";

/** An image of one layer. */
function image(name: string) {
  const layer = { digest: digestOf(Buffer.from(`layer of ${name}`)), size: 7, mediaType: "a/b" };
  const config = { digest: digestOf(Buffer.from(`config of ${name}`)), size: 5, mediaType: "a/b" };
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: IMAGE, config, layers: [layer] }));
  return { name, layer, manifest: { digest: digestOf(bytes), mediaType: IMAGE, bytes } };
}

const [OLD, USED] = [image("old"), image("used")];

async function database(name: string) {
  const opened = openDatabase(join(await tempDirectory(), name));
  onTestFinished(() => opened.close());
  return opened;
}

/** Two nodes over a database that all of them share, which here is SQLite; `a` is the one that leads. */
async function twoNodes() {
  const clock = new FakeClock();
  const shared = await database("shared.db");
  const state = { isAway: false, kept: new Set<Digest>(), canAsk: true };
  const leave: ((leaving: Leaving) => Promise<unknown>)[] = [];
  const node = async (name: "a" | "b") => {
    const own = await database("own.db");
    leave.push((leaving) => own.contents.leave(leaving));
    const journal = {
      tell: async ({ body }: { readonly body: unknown }) => {
        for (const others of leave) await others(body as Leaving);
      },
    };
    const local = own.metadata;
    const common = { log: silentLog, clock, imported: () => undefined };
    const metadata = sharedMetadata({
      ...{ ...common, local, copies: local, shared: shared.metadata },
      used: (uses) => void shared.metadata.touch(uses),
    });
    const contents = sharedContents({ local: own.contents, shared: shared.contents, journal });
    /** By how much the date of this node is wrong. */
    const wrong = { byMs: 0 };
    const nodeClock: Clock = {
      now: () => clock.now() + wrong.byMs,
      elapsed: () => clock.elapsed(),
      after: (ms, run) => clock.after(ms, run),
    };
    const rows = unneededNames({
      ...{ local: own.contents, shared: shared.contents, both: contents, clock: nodeClock },
      leads: () => name === "a",
      date: async () => {
        if (state.isAway) throw new GranaryError("fleet-unavailable", "It is away.");
        return clock.now();
      },
    });
    const sweeps = rows.map(
      (each) =>
        new Unneeded({
          ...{ rows: each, clock: nodeClock, log: silentLog, forgetNames: () => undefined },
          keep: { isKept: async (digest: Digest) => state.kept.has(digest) },
          askFor: async () => {
            if (!state.canAsk) throw new GranaryError("upstream-unavailable", "It is away.");
          },
        }),
    );
    return {
      ...{ own, metadata, wrong },
      /** As every hour. */
      sweep: async () => {
        for (const each of sweeps) await each.sweep();
      },
      use: async ({ manifest }: typeof OLD) => {
        await metadata.touch(new Map([[manifest.digest, clock.now()]]));
      },
      pull: async ({ name: tag, manifest, layer }: typeof OLD) => {
        const { digest, mediaType, bytes } = manifest;
        await metadata.recordManifest(WHERE, manifest, [layer]);
        const facts = { digest, mediaType, size: bytes.length, checkedAt: clock.now() };
        await metadata.recordTag({ ...WHERE, tag, acceptClass: "", ...facts });
        await metadata.touch(new Map([[digest, clock.now()]]));
      },
    };
  };
  const [a, b] = [await node("a"), await node("b")];
  for (const each of [OLD, USED]) {
    await a.pull(each);
    await b.metadata.link(WHERE, each.manifest.digest);
    await b.metadata.manifest(each.manifest.digest);
    await b.metadata.tag({ ...WHERE, tag: each.name, acceptClass: "" });
    await b.use(each);
  }
  const tagsOf = async (rows: { metadata: Pick<typeof shared.metadata, "tagsOf"> }) =>
    (await rows.metadata.tagsOf(WHERE)).map(({ tag }) => tag);
  return {
    ...{ clock, shared, state, a, b },
    /** What the shared database, and each node's own, know. */
    known: async () => [await tagsOf(shared), await tagsOf(a.own), await tagsOf(b.own)],
    /** Twice, because what leaves was unused at an earlier look too. */
    sweepAll: async () => {
      for (const each of [a, b, a, b]) await each.sweep();
    },
  };
}

test("what no node used for 120 days leaves all of them, and what one node used stays for all", async () => {
  const { clock, shared, a, b, known, sweepAll } = await twoNodes();
  await clock.advance(80 * DAY_MS);
  await b.use(USED);
  await clock.advance(41 * DAY_MS);
  await sweepAll();
  // Node a has not used it either: its copy is gone, and comes back from the others when it is asked for.
  expect(await known()).toEqual([["used"], [], ["used"]]);
  expect(await shared.metadata.manifest(OLD.manifest.digest)).toBeUndefined();
  expect(await shared.metadata.link(WHERE, OLD.layer.digest)).toBeUndefined();
  expect(await b.own.metadata.manifest(OLD.manifest.digest)).toBeUndefined();
  expect(await a.metadata.manifest(USED.manifest.digest)).toMatchObject({ digest: USED.manifest.digest });
  expect(await a.metadata.tag({ ...WHERE, tag: "used", acceptClass: "" })).toBeDefined();
  // It is as if it had never been there: it can be pulled again.
  await b.pull(OLD);
  expect(await a.metadata.tag({ ...WHERE, tag: "old", acceptClass: "" })).toBeDefined();
});

test("after 90 days only copies go, and without a look from before nothing leaves for all", async () => {
  const { clock, a, b, known, sweepAll } = await twoNodes();
  await clock.advance(91 * DAY_MS);
  await sweepAll();
  expect(await known()).toEqual([["old", "used"], [], []]);
  await clock.advance(40 * DAY_MS);
  await b.sweep();
  await b.sweep();
  await a.sweep();
  expect(await known()).toEqual([["old", "used"], [], []]);
  await a.sweep();
  expect(await known()).toEqual([[], [], []]);
});

test("what a keep rule stands for, and what the bucket has blobs of, stays", async () => {
  const { clock, shared, state, known, sweepAll } = await twoNodes();
  state.kept.add(OLD.manifest.digest);
  // In the database that is shared, these are the objects of the bucket.
  await shared.metadata.recordBlob({ ...USED.layer, usedAt: clock.now() });
  await clock.advance(121 * DAY_MS);
  await sweepAll();
  expect(await known()).toEqual([["old", "used"], ["old"], ["old"]]);
});

test("while the database is away nothing leaves, and for all nothing while the upstream is", async () => {
  const { clock, state, known, sweepAll } = await twoNodes();
  const all = ["old", "used"];
  await clock.advance(121 * DAY_MS);
  state.isAway = true;
  await sweepAll();
  expect(await known()).toEqual([all, all, all]);
  [state.isAway, state.canAsk] = [false, false];
  await sweepAll();
  expect(await known()).toEqual([all, [], []]);
});

test("a node whose date is a year ahead lets go of nothing that all nodes need", async () => {
  const { a, known, sweepAll } = await twoNodes();
  a.wrong.byMs = 365 * DAY_MS;
  await sweepAll();
  expect((await known())[0]).toEqual(["old", "used"]);
});
