/** Shows which hosts the setting of the proxy lets clients be tunnelled to: those that it names, at the ports that it names. */
import { expect, test } from "vitest";
import { parseAuthority, parseHostPort } from "../../src/oci/host-port.ts";
import { isTunnelEntry, mayTunnel, type TunnelSetting } from "../../src/routing/tunnel-rules.ts";

test.each<[TunnelSetting, string, boolean]>([
  ["none", "example.com:443", false],
  ["any", "example.com:443", true],
  ["any", "example.com:22", false],
  [["example.com"], "EXAMPLE.com.:443", true],
  [["example.com"], "example.com:8443", false],
  [["Example.com:8443"], "example.com:8443", true],
  [["example.com"], "a.example.com:443", false],
  [["*.example.com"], "a.b.example.com:443", true],
  [["*.example.com"], "example.com:443", false],
  [["*.example.com"], "badexample.com:443", false],
  [["*.example.com:8443"], "a.example.com:8443", true],
  [["[2001:db8::1]:8443"], "[2001:DB8::1]:8443", true],
])("%j and %s: %s", (setting, text, may) => {
  const place = parseHostPort(text);
  expect(place && mayTunnel(setting, place)).toBe(may);
});

test.each([
  ["example.com", true],
  ["*.example.com:8443", true],
  ["*", false],
  ["a.*.com", false],
  ["", false],
  ["*.", false],
  ["http://example.com", false],
  ["example.com:0", false],
])("%j is an entry: %s", (entry, isOne) => {
  expect(isTunnelEntry(entry)).toBe(isOne);
});

test.each([
  ["ghcr.io", { host: "ghcr.io", port: 443 }],
  ["localhost:5000", { host: "localhost", port: 5000 }],
  ["[::1]", { host: "::1", port: 443 }],
  ["[FD00:0:0::7]:5000", { host: "fd00::7", port: 5000 }],
  ["::1", undefined],
  ["a b", undefined],
  ["ghcr.io:99999", undefined],
])("%s leads to %j", (text, place) => {
  expect(parseAuthority(text)).toEqual(place);
});
