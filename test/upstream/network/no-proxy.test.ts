/** Shows, as one table, which hosts NO_PROXY lets past a proxy. */
import { describe, expect, test } from "vitest";
import { parseNoProxy } from "../../../src/upstream/network/no-proxy.ts";

function problem(sentence: string): never {
  throw new Error(sentence);
}

const isDirect = (list: string, url: string) => {
  const { hostname, port, protocol } = new URL(url);
  return parseNoProxy(list, problem)(hostname, Number(port) || (protocol === "https:" ? 443 : 80));
};

describe("NO_PROXY", () => {
  test.each([
    // A name is itself and all below it, with or without a dot in front.
    ["registry.lab", "https://registry.lab/", true],
    ["registry.lab", "https://eu.registry.lab/", true],
    ["registry.lab", "https://notregistry.lab/", false],
    ["registry.lab", "https://registry.lab.example/", false],
    [".lab", "https://registry.lab/", true],
    [".lab", "https://lab/", true],
    ["REGISTRY.Lab", "https://registry.LAB/", true],
    ["registry.lab.", "https://registry.lab/", true],
    ["registry.lab", "https://registry.lab./", true],
    // Stars.
    ["*", "https://anything.example/", true],
    ["none.test, *", "http://[::1]:5000/", true],
    ["*:5000", "https://anything.example:5000/", true],
    ["*:5000", "https://anything.example/", false],
    ["*.lab", "https://registry.lab/", true],
    ["*.lab", "https://a.b.lab/", true],
    ["*.lab", "https://lab/", false],
    ["10.1.*", "http://10.1.2.3/", true],
    ["10.1.*", "http://10.10.2.3/", false],
    ["registry*.lab", "http://registry7.lab/", true],
    // Ports.
    ["registry.lab:5000", "http://registry.lab:5000/", true],
    ["registry.lab:5000", "http://registry.lab/", false],
    ["registry.lab:443", "https://registry.lab/", true],
    ["registry.lab:80", "http://registry.lab/", true],
    ["registry.lab:80", "https://registry.lab/", false],
    ["registry.lab", "http://registry.lab:5000/", true],
    // Addresses, in whatever form.
    ["10.0.0.7", "http://10.0.0.7:5000/", true],
    ["10.0.0.7:5000", "http://10.0.0.7:5000/", true],
    ["10.0.0.7:5000", "http://10.0.0.7/", false],
    ["10.0.0.7", "http://10.0.0.70/", false],
    ["127.0.0.1", "http://0x7f.1/", true],
    ["::1", "http://[::1]:5000/", true],
    ["[::1]", "http://[::1]:5000/", true],
    ["[::1]:5000", "http://[::1]:5000/", true],
    ["[::1]:5000", "http://[::1]/", false],
    ["0:0:0:0:0:0:0:1", "http://[::1]/", true],
    ["fd00:0::5", "http://[fd00::5]/", true],
    ["10.0.0.7", "http://[::ffff:10.0.0.7]/", true],
    // Networks.
    ["10.0.0.0/8", "http://10.255.1.2:5000/", true],
    ["10.0.0.0/8", "http://11.0.0.1/", false],
    ["10.0.0.0/8", "http://ten.example/", false],
    ["10.0.0.0/8:5000", "http://10.1.1.1:5000/", true],
    ["10.0.0.0/8:5000", "http://10.1.1.1/", false],
    ["192.168.1.64/26", "http://192.168.1.127/", true],
    ["192.168.1.64/26", "http://192.168.1.128/", false],
    ["fd00::/8", "http://[fd12:3456::1]/", true],
    ["[fd00::]/8", "http://[fd12:3456::1]:5000/", true],
    ["fd00::/8", "http://[fe80::1]/", false],
    ["10.0.0.0/8", "http://[::ffff:10.1.1.1]/", true],
    ["0.0.0.0/0", "http://[fd00::1]/", false],
    // Lists: commas, spaces, both, and nothing.
    ["a.test,b.test", "http://b.test/", true],
    [" a.test , b.test ", "http://b.test/", true],
    ["a.test b.test", "http://b.test/", true],
    [",,a.test,", "http://a.test/", true],
    ["", "http://a.test/", false],
    [" , ", "http://a.test/", false],
    [".", "http://a.test/", false],
    ["<local>", "http://a.test/", false],
  ])("%j for %s: %j", (list, url, expected) => {
    expect(isDirect(list, url)).toBe(expected);
  });

  test.each([
    ["10.0.0.0/33", /"10\.0\.0\.0\/33".*10\.0\.0\.0\/8/],
    ["10.0.0/8x", /"10\.0\.0\/8x"/],
    ["registry.lab/v2", /"registry\.lab\/v2"/],
    ["https://ann:s3cret@registry.lab", /registry\.lab" is a URL/],
  ])("%j is a mistake, and said so", (list, sentence) => {
    const parse = () => parseNoProxy(list, problem);
    expect(parse).toThrow(sentence);
    expect(parse).not.toThrow(/s3cret/);
  });
});
