/** Shows what the live line of a client says for what the server tells: which machines, which state, whatever the order. */
import { expect, test } from "vitest";
import { arrivalOfEvent, arrivalOfPull, newestByMachine } from "../../src/page/arrivals.js";
import { clientKind, restartSteps, tryCommand } from "../../src/page/clients.js";
import { CLIENT_KINDS } from "../../src/setup/client-kinds.ts";

const pull = (id: number, more: Record<string, unknown> = {}) =>
  arrivalOfPull({
    ...{ id, begunAt: 1_000 + id, client: "192.0.2.1", agent: "docker", upstream: "docker.io" },
    ...{ repository: "library/alpine", tag: "3", state: "running", served: 10 },
    ...more,
  });
const event = (id: number, kind: string, facts: Record<string, string | number | boolean>) =>
  arrivalOfEvent({
    id,
    at: 2_000 + id,
    kind,
    text: "",
    facts: { agent: "docker", client: "192.0.2.1", ...facts },
  });
const DOCKER = clientKind("docker").agents;

test("of one pull the latest state counts, in whatever order it becomes known", () => {
  const found = [
    event(9, "pull-ended", {
      pull: 1,
      served: 500,
      upstream: "docker.io",
      repository: "library/alpine",
      tag: "3",
    }),
    pull(1, { served: 400 }),
    event(8, "pull-begun", { pull: 1 }),
  ];
  for (const order of [found, found.toReversed()])
    expect(newestByMachine(order, DOCKER, 0)).toMatchObject([
      { id: 1, state: "done", served: 500, at: 1_001 },
    ]);
});

test("each machine has a line of its own: its newest pull", () => {
  const found = [
    pull(1),
    pull(2, { tag: "4" }),
    pull(3, { client: "192.0.2.2", state: "failed", reason: "why" }),
  ];
  expect(newestByMachine(found, DOCKER, 0)).toMatchObject([
    { client: "192.0.2.2", state: "failed", reason: "why" },
    { client: "192.0.2.1", tag: "4", state: "running" },
  ]);
});

test("what another kind of client did, and what is long ago, is no news", () => {
  const found = [pull(1, { agent: "podman" }), pull(2, { begunAt: 5 }), event(3, "job-ended", { agent: "" })];
  expect(newestByMachine(found, DOCKER, 1_000)).toEqual([]);
  expect(newestByMachine(found, clientKind("podman").agents, 1_000)).toMatchObject([{ agent: "podman" }]);
});

test("a request without a pull shows the machine, with the reason where it was refused; a pull of it says more", () => {
  const seen = { client: "192.0.2.1", agent: "docker", lastAt: 9_000, served: 0, reason: "it wants a login" };
  const others = [
    { ...seen, client: "192.0.2.2", reason: undefined },
    { ...seen, agent: "podman" },
  ];
  expect(newestByMachine([], DOCKER, 1_000, [seen, ...others])).toMatchObject([
    { client: "192.0.2.1", state: "failed", reason: "it wants a login" },
    { client: "192.0.2.2", state: "seen" },
  ]);
  expect(newestByMachine([pull(1)], DOCKER, 0, [seen])).toMatchObject([{ state: "running" }]);
  expect(newestByMachine([], DOCKER, 9_500, [seen])).toEqual([]);
});

test("without addresses all machines are one", () => {
  const found = [pull(1, { client: null }), pull(2, { client: null })];
  expect(newestByMachine(found, DOCKER, 0)).toMatchObject([{ id: 2, client: undefined }]);
});

test("each client has a name and a pull to try; another registry than Docker Hub has no image that everybody knows", () => {
  for (const client of CLIENT_KINDS) {
    expect(clientKind(client).title.toLowerCase()).toBe(client);
    expect(tryCommand(client, ["docker.io", "quay.io"])).toMatch(/hello-world|all-minilm/);
  }
  expect(tryCommand("podman", ["quay.io"])).toBe("podman pull quay.io/NAME:TAG");
});

test.each([
  ["sudo systemctl reload docker", [{ command: "sudo systemctl reload docker" }]],
  [
    "nothing: Podman reads it at each start; CRI-O after `sudo systemctl reload crio`",
    [{ note: "Nothing: Podman reads it at each start; CRI-O after `sudo systemctl reload crio`." }],
  ],
  [
    "sudo systemctl restart k3s (on agents: k3s-agent)",
    [{ command: "sudo systemctl restart k3s", note: "on agents: k3s-agent" }],
  ],
  [
    "sudo systemctl restart buildkit; for buildx: docker buildx create --use",
    [
      { command: "sudo systemctl restart buildkit" },
      { command: "docker buildx create --use", note: "For buildx:" },
    ],
  ],
])("of %j only the command is copied", (text, steps) => {
  expect(restartSteps(text)).toEqual(steps);
});
