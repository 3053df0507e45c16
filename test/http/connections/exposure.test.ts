/** Shows what is said at the start of who can reach a listener. */
import { expect, onTestFinished, test } from "vitest";
import { clientUrls, exposureOf, type Interfaces } from "../../../src/http/connections/exposure.ts";
import { serveMemory } from "../../support/serve-memory.ts";
import { serverCert } from "../../support/throwaway-tls.ts";

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

test.each([
  ["127.0.0.1", home, ["http://127.0.0.1:5000"]],
  ["::1", home, ["http://[::1]:5000"]],
  ["0.0.0.0", { lo: loopback }, ["http://127.0.0.1:5000"]],
  ["0.0.0.0", home, ["http://192.168.1.10:5000", "http://100.64.3.4:5000"]],
  ["::", home, ["http://192.168.1.10:5000", "http://100.64.3.4:5000", "http://[fd12::1]:5000"]],
  [
    "::",
    hosted,
    ["http://192.168.1.10:5000", "http://100.64.3.4:5000", "http://8.8.4.4:5000", "http://[fd12::1]:5000"],
  ],
  ["192.168.1.10", hosted, ["http://192.168.1.10:5000"]],
  ["::ffff:192.168.1.10", hosted, ["http://192.168.1.10:5000"]],
  // Bridges of containers and virtual machines come last: no other machine reaches them.
  [
    "0.0.0.0",
    { docker0: [entry("172.17.0.1", "IPv4")], ...home },
    ["http://192.168.1.10:5000", "http://100.64.3.4:5000", "http://172.17.0.1:5000"],
  ],
] satisfies [string, Interfaces, string[]][])(
  "clients reach a listener on %s of such a machine at what it says: %#",
  (address, interfaces, urls) => {
    expect(clientUrls({ address, port: 5000, cert: undefined }, interfaces)).toEqual(urls);
  },
);

/** For localhost, granary.lab, *.granary.lab and 192.168.1.10; its key was thrown away. */
const namedCert = `-----BEGIN CERTIFICATE-----
MIIBvTCCAWOgAwIBAgIUC1Tku9QBdvCupbYJwRvEdN4DDVowCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLZ3JhbmFyeS5sYWIwIBcNMjYxMTI4MTA0MDA3WhgPMjEyNjEx
MDQxMDQwMDdaMBYxFDASBgNVBAMMC2dyYW5hcnkubGFiMFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEL37oAUDFxVMSLVgatYkhWpIvmUpGgKeZlO290j+62m+PvR7v
aZHg60F7aFhq1iSVnRLJhoCgmyR/G+nndWbnD6OBjDCBiTAdBgNVHQ4EFgQUcgSZ
QOGZYel6/X3BRSZ5HTYuzHAwHwYDVR0jBBgwFoAUcgSZQOGZYel6/X3BRSZ5HTYu
zHAwDwYDVR0TAQH/BAUwAwEB/zA2BgNVHREELzAtgglsb2NhbGhvc3SCC2dyYW5h
cnkubGFigg0qLmdyYW5hcnkubGFihwTAqAEKMAoGCCqGSM49BAMCA0gAMEUCIHUN
cgIP3WJKzktLQzPF7BFAazFMtAaWYwabBhMxJdgxAiEAh8lM4JaKd1hF1YLkFse7
OcsDbcBVP6Gdu//bInZZQwM=
-----END CERTIFICATE-----
`;

test("over TLS clients type what stands in the certificate, because they would refuse any other", () => {
  const listener = { address: "0.0.0.0", port: 443, cert: namedCert };
  expect(clientUrls(listener, home)).toEqual(["https://granary.lab:443", "https://192.168.1.10:443"]);
  expect(clientUrls({ ...listener, address: "127.0.0.1" }, home)).toEqual(["https://127.0.0.1:443"]);
  const [url] = clientUrls({ ...listener, cert: serverCert }, home);
  expect(url).toBe("https://192.168.1.10:443");
});

test("the log says at which address clients reach which registry", async () => {
  const server = await serveMemory({ host: "0.0.0.0", interfaces: home });
  onTestFinished(() => server.close());
  const listening = server.lines.map(({ msg }) => msg).filter((msg) => /listening/.test(String(msg)));
  expect(listening).toEqual([
    `listening on http://192.168.1.10:${server.hub} for docker.io`,
    `listening on http://192.168.1.10:${server.ollama} for registry.ollama.ai`,
  ]);
  expect(server.lines).toContainEqual(
    expect.objectContaining({
      upstream: "docker.io",
      urls: [`http://192.168.1.10:${server.hub}`, `http://100.64.3.4:${server.hub}`],
    }),
  );
});

test("the log warns of a listener that the network or the internet can use without a login, and of no other", async () => {
  const login = { username: "ann", password: "secret" };
  const said = async (options: Parameters<typeof serveMemory>[0]) => {
    const server = await serveMemory({ host: "0.0.0.0", ...options });
    onTestFinished(() => server.close());
    return server.lines.filter(({ msg }) => /no login/.test(String(msg)));
  };
  const port = expect.any(Number);
  const internet = {
    level: "warn",
    port,
    addresses: ["8.8.4.4"],
    msg: expect.stringMatching(/internet.*set its host .* firewall, .* login/),
  };
  expect(await said({ interfaces: hosted })).toMatchObject([internet, internet]);
  const network = {
    level: "warn",
    port,
    addresses: ["192.168.1.10", "100.64.3.4"],
    msg: expect.stringMatching(/network.*login.*127\.0\.0\.1/),
  };
  expect(await said({ interfaces: home })).toMatchObject([network, network]);
  expect(await said({ interfaces: hosted, login })).toEqual([]);
  expect(await said({ interfaces: hosted, host: "127.0.0.1" })).toEqual([]);
});
