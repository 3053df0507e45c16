/** Shows that what a client pushes through one node of a fleet is not given out by another one as it was before. */
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import type { AskAnew } from "../../../src/fleet/knowledge/ask-anew.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_INDEX } from "../../../src/oci/media-types.ts";
import { fleetPart } from "../../support/fleet-part.ts";
import { startProxyWorld } from "../../support/proxy-world.ts";
import { registryThat } from "../../support/registry-that.ts";

const manifestOf = (name: string) =>
  JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [], annotations: { name } });

/** A registry with one tag, and two nodes in front of it, the first of which tells the other as a fleet does. */
async function twoNodes() {
  let pushed: string | undefined;
  const { name, upstream } = await registryThat(async (incoming, answer) => {
    if (incoming.method === "PUT") pushed = await text(incoming);
    const body = Buffer.from(pushed ?? "");
    answer.writeHead(incoming.method === "PUT" ? 201 : pushed === undefined ? 404 : 200, {
      "content-type": OCI_INDEX,
      "docker-content-digest": digestOf(body),
      "content-length": incoming.method === "PUT" ? 0 : body.length,
    });
    answer.end(incoming.method === "GET" ? body : undefined);
  });
  const other = await startProxyWorld([upstream]);
  const told: AskAnew[] = [];
  const state = { isCutOff: false };
  const tellAskAnew = async (names: AskAnew) => {
    if (state.isCutOff) throw new GranaryError("fleet-unavailable", "The database is away.");
    told.push(names);
    other.world.mirror.askAnew(names);
  };
  const first = await startProxyWorld([upstream], { fleet: fleetPart({ tellAskAnew }) });
  const push = async (reference: string, what: string) => {
    const request = { method: "PUT", body: manifestOf(what) };
    return (await first.ask(name, `/v2/app/manifests/${reference}`, request)).status;
  };
  // By the mirror: what is absent there is the mirror's own answer.
  const pull = async ({ world }: typeof other) => {
    const target = { kind: "manifest", upstream: name, repository: "app", reference: { tag: "1" } } as const;
    const asker = { loggedIn: true, userAgent: undefined, accept: [OCI_INDEX] };
    const { manifest } = await world.mirror.manifest(target, asker);
    return JSON.parse(manifest.bytes.toString()).annotations.name as string;
  };
  return { name, first, other, told, state, push, pull };
}

test("a tag is asked for anew at every node, also where it was absent", async () => {
  const { name, first, other, told, push, pull } = await twoNodes();
  for (const node of [first, other]) await expect(pull(node)).rejects.toMatchObject({ code: "not-found" });
  for (const what of ["one", "two"]) {
    expect(await push("1", what)).toBe(201);
    expect([await pull(first), await pull(other)]).toEqual([what, what]);
  }
  expect(told).toContainEqual({ upstream: name, repository: "app", tags: ["1"], isPushed: true });
});

test("what was absent by its digest is asked for anew too", async () => {
  const { name, told, push } = await twoNodes();
  expect(await push(digestOf(Buffer.from(manifestOf("one"))), "one")).toBe(201);
  expect(told).toEqual([{ upstream: name, repository: "app", tags: [], isPushed: true }]);
});

test("a push succeeds also where the others cannot be told, and the log says it", async () => {
  const { first, other, state, push, pull } = await twoNodes();
  await push("1", "one");
  expect(await pull(other)).toBe("one");
  state.isCutOff = true;
  expect(await push("1", "two")).toBe(201);
  expect([await pull(first), await pull(other)]).toEqual(["two", "one"]);
  const warnings = first.lines.filter(({ msg }) => String(msg).includes("other nodes could not be told"));
  expect(warnings).toMatchObject([{ repository: "app", reason: "The database is away." }]);
});
