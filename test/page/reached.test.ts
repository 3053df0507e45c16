/** Shows which address a client is given: the one that is known to work, for every way in which people reach the page. */
import { expect, test } from "vitest";
import { choicesOf, type Listener, listenerFor, notesOn, problemOf } from "../../src/page/reached.js";
import { caPem } from "../support/throwaway-tls.ts";

const HUB: Listener = {
  upstream: "docker.io",
  port: 5_000,
  urls: ["http://192.168.1.10:5000", "http://[fd00::10]:5000"],
  wantsLogin: false,
};

function reached(address: string, listener: Partial<Listener> = {}) {
  const place = new URL(address);
  const all = choicesOf({ ...HUB, ...listener }, place).map(({ url }) => url);
  return { all, first: all[0], notes: notesOn({ ...HUB, ...listener }, place).join(" ") };
}

test.each([
  ["http://granary.lan:5080", "http://granary.lan:5000"],
  ["http://192.168.1.10:5080", "http://192.168.1.10:5000"],
  ["http://10.9.9.9:5080", "http://10.9.9.9:5000"],
  ["http://[fd00::99]:5080", "http://[fd00::99]:5000"],
])("who came by %s is given %s, and nothing is to be known", (address, url) => {
  const { first, all, notes } = reached(address);
  expect(first).toBe(url);
  expect(all).toContain("http://192.168.1.10:5000");
  expect(new Set(all).size).toBe(all.length);
  expect(notes).toBe("");
});

test.each([
  "http://localhost:5080",
  "http://127.0.0.1:5080",
  "http://[::1]:5080",
  "http://granary.localhost:5080",
])("who came by %s is given an address that other machines reach, and told why", (address) => {
  const { all, notes } = reached(address);
  expect(all).toEqual(["http://192.168.1.10:5000", "http://[fd00::10]:5000", "http://127.0.0.1:5000"]);
  expect(notes).toMatch(/Clients on other machines need an address that they can reach/);
});

test("where no other address is known, a person is asked for one", () => {
  const { all, notes } = reached("http://localhost:5080", { urls: ["http://127.0.0.1:5000"] });
  expect(all).toEqual(["http://127.0.0.1:5000"]);
  expect(notes).toMatch(/no other address of it is known.*write it here/);
});

test.each(["127.0.0.1", "::1", "localhost"])(
  "a listener on %s alone cannot be reached from elsewhere, and it is said how to change that",
  (host) => {
    const url = `http://${host.includes(":") ? `[${host}]` : host}:5000`;
    for (const address of ["http://granary.lan:5080", "http://localhost:5080"]) {
      const { all, notes } = reached(address, { host, urls: [url] });
      expect(all).toEqual([url]);
      expect(notes).toContain(`take \`host: ${host}\` out of this listener`);
      expect(notes).toContain("granary reload");
    }
  },
);

test("a listener on one address is reached by that one alone, whatever the page was reached by", () => {
  const only = { host: "192.168.1.10", urls: ["http://192.168.1.10:5000"] };
  expect(reached("http://10.0.0.1:5080", only).all).toEqual(["http://192.168.1.10:5000"]);
});

test.each(["https://granary.example", "http://granary.example", "https://granary.example:8443"])(
  "behind a proxy at %s clients go past it, to the port of the listener",
  (address) => {
    const { first, notes } = reached(address);
    expect(first).toBe("http://granary.example:5000");
    expect(notes).toMatch(/came through a proxy.*port 5000/);
  },
);

test("over TLS it is an address that the certificate names; one that it does not name comes last", () => {
  const tls = { certificate: caPem, port: 5_443, urls: ["https://granary.lab:5443"] };
  expect(reached("http://granary.lab:5080", tls).all).toEqual(["https://granary.lab:5443"]);
  expect(reached("http://192.168.1.10:5080", tls).all).toEqual([
    "https://granary.lab:5443",
    "https://192.168.1.10:5443",
  ]);
  // A certificate for *.lab has no name to compare with.
  const wildcard = { ...tls, urls: ["https://192.168.1.10:5443"] };
  expect(reached("http://granary.lab:5080", wildcard).first).toBe("https://granary.lab:5443");
  expect(reached("http://localhost:5080", tls).all).toEqual(["https://granary.lab:5443"]);
});

test("each client gets the listener of its own registry, better without a login", () => {
  const locked = { ...HUB, port: 5_001, wantsLogin: true };
  const ollama = { ...HUB, upstream: "registry.ollama.ai", port: 11_435 };
  const quay = { ...HUB, upstream: "quay.io", port: 5_002 };
  expect(listenerFor([quay, locked, HUB, ollama], "docker")).toBe(HUB);
  expect(listenerFor([quay, locked, ollama], "podman")).toBe(locked);
  expect(listenerFor([HUB, ollama], "ollama")).toBe(ollama);
  expect(listenerFor([quay], "podman")).toBe(quay);
  expect(listenerFor([quay], "docker")).toBeUndefined();
  expect(listenerFor([HUB], "ollama")).toBeUndefined();
});

test.each(["192.168.1.10", "http://granary.lan:5000", "https://[fd00::1]:5443/", "granary.lan:5000"])(
  "%s is taken as an address",
  (text) => expect(problemOf(text)).toBeUndefined(),
);

test.each([
  "",
  "ftp://x",
  "http://a/b",
  "http://user:word@a",
  "http://a b",
  "http://a?x=1",
  "://",
  "http://ä.lan:x",
])("%j is refused with what to write instead", (text) =>
  expect(problemOf(text)).toMatch(/such as http:\/\/192\.168\.1\.10:5000/),
);
