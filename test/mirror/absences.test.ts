/** Shows that what is not there is not asked for again and again, with credentials of ours as without, for those who logged in and others. */
import { expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { startWorld } from "../support/mirror-world.ts";

const credentials = { username: "granary", password: "hunter2" };
const NOTHING = digestOf(Buffer.from("nothing"));
const MANY = 50;
/** Of each: by whom it is asked first, once more by another method, and as a stranger. */
const FEW = 8;

it.each([
  ["without credentials", {}, false],
  ["with credentials, by strangers", { credentials }, false],
  ["with credentials, by those who logged in", { credentials }, true],
] as const)("what is not there is asked for a few times, not fifty (%s)", async (_, upstream, loggedIn) => {
  const settings = { users: { granary: "hunter2" }, tokenForm: "opaque" } as const;
  const world = await startWorld({ mode: "hub", settings, upstream });
  world.fake.addImage("team/app", "1", { layers: [10] });
  const asker = { loggedIn, userAgent: undefined };
  for (const [what, ask] of [
    ["a tag", () => world.get("team/app", "none", asker)],
    ["the head of a tag", () => world.head("team/app", "none", asker)],
    ["a manifest", () => world.get("team/app", NOTHING, asker)],
    ["a blob", () => world.open("team/app", NOTHING, asker)],
    ["the size of a blob", () => world.stat("team/app", NOTHING, asker)],
    ["the tags of a repository", () => world.tags("team/none", "", asker)],
    ["a tag of such a repository", () => world.get("team/none", "1", asker)],
  ] as const) {
    world.fake.forgetRequests();
    for (let time = 0; time < MANY; time++)
      await expect(ask(), what).rejects.toMatchObject({ code: "not-found" });
    const asked = world.fake.requests.filter(({ kind }) => kind !== "token" && kind !== "ping");
    expect(asked.length, what).toBeLessThanOrEqual(FEW);
  }
});
