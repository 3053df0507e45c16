/**
 * Shows what people see in Docker, containerd and Podman of what was steered in Granary: what is denied, what is held back, what is not
 * here while the upstream is offline; and that what may pass is pulled all the while.
 */
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { ctr, ctr2 } from "./support/ctr-client.ts";
import { dockerd } from "./support/dockerd-client.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { type HubFront, startHubFront } from "./support/hub-front.ts";
import type { ImageClient, ImageClientKind, ImageName } from "./support/image-client.ts";
import { podman } from "./support/podman-client.ts";
import { HUB } from "./support/pull-scenario.ts";
import { startRealUpstream, UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import type { StoredImage } from "./support/upstream-content.ts";

const KINDS: readonly ImageClientKind[] = [dockerd, ctr, ctr2, podman];
/** Tags are checked at each pull. */
const TAG_LIFETIME = "1ms";

describeWith(
  [...new Set(KINDS.flatMap(({ programs }) => programs)), ...UPSTREAM_PROGRAMS],
  "clients of a Granary that is steered",
  () => {
    const house = new AsyncDisposableStack();
    let front: HubFront;
    let granary: GranaryProcess;
    let one: StoredImage;
    let two: StoredImage;
    let three: StoredImage;
    /** Each began empty, and keeps what it pulls over the tests, which build on each other. */
    let clients: { readonly name: string; readonly client: ImageClient }[];

    beforeAll(async () => {
      const upstream = await startRealUpstream(house);
      front = await startHubFront(house, upstream);
      [one, two, three] = upstream.content.tagged as [StoredImage, StoredImage, StoredImage];
      const hub = {
        endpoints: [front.url],
        internal: true,
        realms: ["127.0.0.2"],
        tagLifetime: TAG_LIFETIME,
      };
      granary = await startGranary(house, { upstreams: { [HUB]: hub } });
      clients = await Promise.all(
        KINDS.map(async (kind) => ({
          name: kind.name,
          client: await kind.start(house, granary.port(HUB)),
        })),
      );
    });
    afterAll(() => house.disposeAsync());

    const nameOf = ({ repository, tag }: StoredImage) => `${HUB}/${repository}:${tag}`;

    async function expectPulled(image: StoredImage, meaning = image): Promise<void> {
      const wanted = { manifest: meaning.manifest.digest, config: meaning.config.digest };
      for (const { name, client } of clients)
        expect(await client.pull(image), `${image.tag} by ${name}`).toEqual(wanted);
    }

    /** No byte of it crosses. Docker goes on to Docker Hub and says why that failed: `why` is told when it asks Granary by name. */
    async function expectRefused(image: StoredImage, why: RegExp): Promise<void> {
      front.account.clear();
      for (const { name, client } of clients) {
        const isDocker = name === dockerd.name;
        const says = isDocker ? /registry-1\.docker\.io/ : why;
        expect(await failureOf(client, image), `${image.tag} by ${name}`).toMatch(says);
        if (!isDocker) continue;
        const byName = { ...image, repository: `127.0.0.1:${granary.port(HUB)}/${image.repository}` };
        expect(await failureOf(client, byName), `${image.tag} by name`).toMatch(why);
      }
      expect(front.account.matching({ kind: "blob" })).toEqual([]);
    }

    function failureOf(client: ImageClient, image: ImageName): Promise<string> {
      return client.pull(image).then(
        () => "pulled",
        (error: Error) => error.message,
      );
    }

    test("all of them pull what may pass", async () => {
      await expectPulled(one);
    });

    test("what is denied is refused with the reason, and passes again when the rule is taken back", async () => {
      await granary.ask("deny", nameOf(one));
      await expectRefused(one, /tags-test:one is denied \(by granary deny\)/);
      await granary.ask("deny", nameOf(one), "--remove");
      await expectPulled(one);
    });

    test("offline serves what is stored, and says of the rest at once that the upstream is offline", async () => {
      await granary.ask("offline", "on");
      front.account.clear();
      await expectPulled(one);
      await expectRefused(two, /docker\.io is set offline/);
      expect(front.account.requests).toEqual([]);
      await granary.ask("offline", "off");
    });

    test("with a cooldown a moved tag stays on what was known, and what is new waits, until it is approved", async () => {
      await expectPulled(two);
      const settings = parse(await readFile(granary.config, "utf8"));
      settings.upstreams[HUB].cooldown = "3d";
      await writeFile(granary.config, stringify(settings));
      await granary.ask("reload");

      front.moveTag(one, two.tag);
      await expectPulled(one);
      await expectRefused(three, /tags-test:three is held back.*granary approve/);
      expect(await granary.ask("held-back")).toContain(nameOf(one));

      await granary.ask("approve", nameOf(one));
      await expectPulled(one, two);
      await granary.ask("approve", nameOf(three));
      await expectPulled(three);
    });
  },
);
