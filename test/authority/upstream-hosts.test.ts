/** Shows which hosts the authority is made for: those of the settings, as certificates name them. */
import { expect, test } from "vitest";
import { upstreamHosts } from "../../src/authority/upstream-hosts.ts";
import { BUILT_IN_UPSTREAMS, plainUpstream } from "../../src/config/defaults.ts";

const of = (name: string, more: { aliases?: string[]; endpoints?: string[] } = {}) => ({
  ...plainUpstream(name),
  ...more,
});

test("names and aliases, each once and in order; an endpoint is another registry to clients", () => {
  const hub = of("docker.io", {
    ...BUILT_IN_UPSTREAMS["docker.io"],
    aliases: ["registry-1.docker.io", "Index.Docker.io"],
    endpoints: ["https://registry-1.docker.io", "https://mirror.gcr.io/v2/hub"],
  });
  expect(upstreamHosts([of("quay.io"), hub])).toEqual([
    "docker.io",
    "index.docker.io",
    "quay.io",
    "registry-1.docker.io",
  ]);
});

test("without ports, and addresses without brackets", () => {
  expect(
    upstreamHosts([of("localhost:5000"), of("192.0.2.7:443"), of("[FD00:0::7]:5000"), of("LOCALHOST:5001")]),
  ).toEqual(["192.0.2.7", "fd00::7", "localhost"]);
});

test("none without upstreams", () => {
  expect(upstreamHosts([])).toEqual([]);
});
