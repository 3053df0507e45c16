/** Shows which variable of the environment decides about a request, and what is said about one that cannot be used. */

import { describe, expect, test } from "vitest";
import { loadSettings } from "../../../src/config/load.ts";
import type { Environment } from "../../../src/environment.ts";
import { readProxies } from "../../../src/upstream/network/proxies.ts";

const shownFor = (env: Environment, url: string) => readProxies(env).proxyOf(new URL(url))?.shown;

describe("the proxy of a request", () => {
  test.each<[string, Environment, string, string | undefined]>([
    ["none is set", {}, "https://a.test/", undefined],
    [
      "by scheme",
      { HTTPS_PROXY: "http://p:1", HTTP_PROXY: "http://q:2" },
      "https://a.test/",
      "http://p:1 (HTTPS_PROXY)",
    ],
    [
      "by scheme",
      { HTTPS_PROXY: "http://p:1", HTTP_PROXY: "http://q:2" },
      "http://a.test/",
      "http://q:2 (HTTP_PROXY)",
    ],
    [
      "without a scheme of its own",
      { HTTP_PROXY: "proxy.lab:3128" },
      "http://a.test/",
      "http://proxy.lab:3128 (HTTP_PROXY)",
    ],
    [
      "an address alone",
      { http_proxy: "10.0.0.1:3128" },
      "http://a.test/",
      "http://10.0.0.1:3128 (http_proxy)",
    ],
    [
      "an IPv6 address",
      { http_proxy: "[fd00::1]:3128" },
      "http://a.test/",
      "http://[fd00::1]:3128 (http_proxy)",
    ],
    ["with spaces around", { http_proxy: " http://p:1 " }, "http://a.test/", "http://p:1 (http_proxy)"],
    ["over TLS", { https_proxy: "https://p" }, "https://a.test/", "https://p (https_proxy)"],
    [
      "lower case first",
      { http_proxy: "p:1", HTTP_PROXY: "q:2" },
      "http://a.test/",
      "http://p:1 (http_proxy)",
    ],
    ["an empty lower case means none", { http_proxy: "", HTTP_PROXY: "q:2" }, "http://a.test/", undefined],
    ["an empty one does not fall back", { https_proxy: "", ALL_PROXY: "q:2" }, "https://a.test/", undefined],
    ["ALL_PROXY for both", { ALL_PROXY: "p:1" }, "http://a.test/", "http://p:1 (ALL_PROXY)"],
    ["ALL_PROXY for both", { all_proxy: "p:1" }, "https://a.test/", "http://p:1 (all_proxy)"],
    [
      "a scheme's own before ALL_PROXY",
      { ALL_PROXY: "p:1", HTTP_PROXY: "q:2" },
      "http://a.test/",
      "http://q:2 (HTTP_PROXY)",
    ],
    [
      "ALL_PROXY before another scheme's",
      { ALL_PROXY: "p:1", HTTP_PROXY: "q:2" },
      "https://a.test/",
      "http://p:1 (ALL_PROXY)",
    ],
    ["HTTP_PROXY alone", { HTTP_PROXY: "q:2" }, "https://a.test/", "http://q:2 (HTTP_PROXY)"],
    [
      "with a login that is not shown",
      { HTTP_PROXY: "http://ann:p%40ss@p:1" },
      "http://a.test/",
      "http://p:1 (HTTP_PROXY)",
    ],
    ["NO_PROXY", { HTTP_PROXY: "p:1", NO_PROXY: "10.0.0.0/8,a.test:5000" }, "http://a.test:5000/", undefined],
    [
      "NO_PROXY",
      { HTTP_PROXY: "p:1", NO_PROXY: "10.0.0.0/8,a.test:5000" },
      "http://a.test/",
      "http://p:1 (HTTP_PROXY)",
    ],
    [
      "an empty no_proxy wins",
      { HTTP_PROXY: "p:1", no_proxy: "", NO_PROXY: "*" },
      "http://a.test/",
      "http://p:1 (HTTP_PROXY)",
    ],
    [
      "socks for nobody",
      { ALL_PROXY: "socks5://p:1", HTTP_PROXY: "q:2", HTTPS_PROXY: "r:3" },
      "http://a.test/",
      "http://q:2 (HTTP_PROXY)",
    ],
  ])("%s: %j for %s", (_, env, url, expected) => {
    expect(shownFor(env, url)).toBe(expected);
  });
});

describe("a variable that cannot be used", () => {
  test.each<[Environment, RegExp]>([
    [
      { HTTP_PROXY: "socks5://ann:s3cret@p:1" },
      /variable HTTP_PROXY: socks5:\/\/ proxies are not supported.*http:\/\/proxy/,
    ],
    [{ ALL_PROXY: "socks://p:1" }, /variable ALL_PROXY: socks:/],
    [{ https_proxy: "http://" }, /variable https_proxy: .*http:\/\/proxy/],
    [{ HTTPS_PROXY: '"http://p:1"' }, /variable HTTPS_PROXY: .*without quotes/],
    [{ HTTPS_PROXY: "http://ann:s3cret#1@p:1" }, /variable HTTPS_PROXY: /],
    [{ HTTPS_PROXY: "http://ann:12/s3cret@p:1" }, /variable HTTPS_PROXY: .*%2F/],
    [{ HTTPS_PROXY: "http://ann:12?s3cret@p:1" }, /variable HTTPS_PROXY: .*%3F/],
    [{ HTTPS_PROXY: "http://ann:100%s3cret@p:1" }, /variable HTTPS_PROXY: .*%25/],
    [{ HTTP_PROXY: "p:99999" }, /variable HTTP_PROXY: /],
    [{ HTTP_PROXY: "p:1", NO_PROXY: "10.0.0.0/40" }, /variable NO_PROXY: "10\.0\.0\.0\/40"/],
  ])("%j stops everything at the start, and is not quoted", async (env, sentence) => {
    const started = loadSettings(undefined, env);
    await expect(started).rejects.toMatchObject({
      code: "config-invalid",
      message: expect.stringMatching(sentence),
    });
    await expect(started).rejects.not.toMatchObject({ message: expect.stringContaining("s3cret") });
  });

  test("is no error where nobody uses it", () => {
    expect(() => readProxies({ NO_PROXY: "10.0.0.0/40" })).not.toThrow();
    expect(() =>
      readProxies({ http_proxy: "p:1", HTTP_PROXY: "socks5://q", HTTPS_PROXY: "r:3" }),
    ).not.toThrow();
  });
});
