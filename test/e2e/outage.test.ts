/**
 * Shows that an outage of seconds in the middle of a pull ends no pull, also of clients that do not resume, whether the
 * upstream refuses connections or is silent; and that a cold pull works right after its return.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Outage } from "../support/slow-line.ts";
import { ctr } from "./support/ctr-client.ts";
import type { ImageClientKind } from "./support/image-client.ts";
import { SLOW_LINE } from "./support/lines.ts";
import { HUB, useStage } from "./support/pull-scenario.ts";
import { readAround } from "./support/readers-around.ts";
import { UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { skopeo } from "./support/skopeo-client.ts";

const AWAY_MS = 4_000;
/** About a second is the promise; the rest is for a busy machine. */
const BACK_WITHIN_MS = 3_000;

describeWith(
  [...skopeo.programs, ...ctr.programs, ...UPSTREAM_PROGRAMS, "curl"],
  "an upstream that goes away",
  () => {
    const stage = useStage(SLOW_LINE);

    /** The line of the stage goes away for a while once the layers have begun to come. */
    async function breakMidway(outage: Outage): Promise<void> {
      const { way } = stage();
      if (way === undefined) throw new Error("the stage has no line");
      const { account } = way.fronts.cdn;
      await expect.poll(() => account.carried, { timeout: 60_000 }).toBeGreaterThan(10e6);
      await way.line.away(outage);
      await sleep(AWAY_MS);
      await way.line.back();
    }

    test.each<[string, Outage, ImageClientKind]>([
      ["skopeo", "refused", skopeo],
      ["skopeo", "silent", skopeo],
      ["ctr", "refused", ctr],
    ])("does not end a pull by %s (%s)", async (_name, outage, kind) => {
      const { cleanup, granary, upstream } = stage();
      const { big } = upstream.content;
      const client = await kind.start(cleanup, granary.port(HUB));
      const [pulled] = await Promise.all([client.pull(big), breakMidway(outage)]);
      expect(pulled).toEqual({ manifest: big.manifest.digest, config: big.config.digest });
    });

    test.each<Outage>(["refused", "silent"])(
      "does not end the downloads of sixteen curls (%s)",
      async (outage) => {
        const { granary, upstream } = stage();
        const { big } = upstream.content;
        const base = `${granary.url(HUB)}/v2/${big.repository}/blobs`;
        await Promise.all([readAround(base, big.layers, 16), breakMidway(outage)]);
      },
    );

    test("is asked again at once when it is back: a cold image can be pulled", async () => {
      const { granary, upstream, way } = stage();
      const { big } = upstream.content;
      const ask = async () => {
        const answer = await fetch(`${granary.url(HUB)}/v2/${big.repository}/manifests/${big.tag}`);
        await answer.arrayBuffer();
        return answer.status;
      };
      await way?.line.away();
      const begun = performance.now();
      while (performance.now() - begun < AWAY_MS) {
        expect(await ask()).toBeGreaterThanOrEqual(500);
        await sleep(100);
      }
      await way?.line.back();
      const back = performance.now();
      while ((await ask()) !== 200) await sleep(50);
      expect(performance.now() - back).toBeLessThan(BACK_WITHIN_MS);
    });
  },
);
