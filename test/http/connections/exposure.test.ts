/** Shows what is said at the start of who can reach a listener. */
import { expect, onTestFinished, test } from "vitest";
import { exposureOf, type Interfaces } from "../../../src/http/connections/exposure.ts";
import { serveMemory } from "../../support/serve-memory.ts";

const entry = (address: string, family: "IPv4" | "IPv6") =>
  ({ address, family, netmask: "", mac: "", internal: false, cidr: null, scopeid: 0 }) as never;
const loopback = [entry("127.0.0.1", "IPv4"), entry("::1", "IPv6")];
const home: Interfaces = {
  lo: loopback,
  eth0: [entry("192.168.1.10", "IPv4"), entry("fe80::1%eth0", "IPv6"), entry("fd12::1", "IPv6")],
  tun0: [entry("100.64.3.4", "IPv4")],
};
const hosted: Interfaces = { ...home, eth1: [entry("8.8.4.4", "IPv4")] };
const onlyV6: Interfaces = { ...home, eth1: [entry("2a00:1450:4001::5", "IPv6")] };

test.each([
  ["127.0.0.1", hosted, "machine", ["127.0.0.1"]],
  ["::1", hosted, "machine", ["::1"]],
  ["::", { lo: loopback }, "machine", ["127.0.0.1", "::1"]],
  ["10.1.2.3", hosted, "network", ["10.1.2.3"]],
  ["::ffff:10.1.2.3", hosted, "network", ["::ffff:10.1.2.3"]],
  ["::", home, "network", ["192.168.1.10", "fe80::1%eth0", "fd12::1", "100.64.3.4"]],
  ["0.0.0.0", home, "network", ["192.168.1.10", "100.64.3.4"]],
  ["::", hosted, "internet", ["8.8.4.4"]],
  ["0.0.0.0", hosted, "internet", ["8.8.4.4"]],
  ["8.8.4.4", home, "internet", ["8.8.4.4"]],
  ["::", onlyV6, "internet", ["2a00:1450:4001::5"]],
  ["0.0.0.0", onlyV6, "network", ["192.168.1.10", "100.64.3.4"]],
] as const)("a listener on %s of such a machine: %#", (address, interfaces, reach, addresses) => {
  expect(exposureOf(address, interfaces)).toEqual({ reach, addresses });
});

test("the log warns of a listener that is open to the internet, and not of one with a login or of one's own network", async () => {
  const login = { username: "ann", password: "secret" };
  const said = async (options: Parameters<typeof serveMemory>[0]) => {
    const server = await serveMemory({ host: "0.0.0.0", ...options });
    onTestFinished(() => server.close());
    return server.lines.filter(({ msg }) => /no login/.test(String(msg)));
  };
  const port = expect.any(Number);
  const open = {
    level: "warn",
    port,
    addresses: ["8.8.4.4"],
    msg: expect.stringMatching(/set its host .* firewall, .* login/),
  };
  expect(await said({ interfaces: hosted })).toMatchObject([open, open]);
  expect(await said({ interfaces: home })).toMatchObject([{ level: "info" }, { level: "info" }]);
  expect(await said({ interfaces: hosted, login })).toEqual([]);
  expect(await said({ interfaces: hosted, host: "127.0.0.1" })).toEqual([]);
});
