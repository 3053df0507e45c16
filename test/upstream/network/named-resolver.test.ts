/** Shows that names are looked up at the DNS servers that the settings name, and that the address guard stands around these too. */
import type { LookupAddress, LookupOptions } from "node:dns";
import { expect, test } from "vitest";
import { addressesIn } from "../../../src/files/hosts-file.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { guardLookup } from "../../../src/upstream/network/address-guard.ts";
import { resolverAt } from "../../../src/upstream/network/named-resolver.ts";
import { transportError } from "../../../src/upstream/network/transport-error.ts";
import { askFor, clientOf, patient, startFake } from "../../support/start-upstream.ts";
import { startTinyDns } from "../../support/tiny-dns.ts";

type Lookup = ReturnType<typeof resolverAt>;

function look(lookup: Lookup, name: string, options: LookupOptions = {}): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    lookup(name, { ...options, all: true }, (error, found) => {
      if (error !== null) reject(error);
      else resolve(Array.isArray(found) ? found : []);
    });
  });
}

test("addresses of both kinds come, IPv4 first, and only one kind where one is asked for", async () => {
  const dns = await startTinyDns({ "registry.test": ["2001:db8::7", "192.0.2.1"], "six.test": ["::1"] });
  const lookup = resolverAt([dns.address], systemClock);
  const both = [
    { address: "192.0.2.1", family: 4 },
    { address: "2001:db8::7", family: 6 },
  ];
  expect(await look(lookup, "registry.test")).toEqual(both);
  expect(await look(lookup, "Registry.Test", { family: 4 })).toEqual(both.slice(0, 1));
  expect(await look(lookup, "registry.test", { family: 6 })).toEqual(both.slice(1));
  expect(await look(lookup, "six.test")).toEqual([{ address: "::1", family: 6 }]);
  const one = await new Promise((resolve) =>
    lookup("registry.test", { all: false }, (...found) => resolve(found)),
  );
  expect(one).toEqual([null, "192.0.2.1", 4]);
});

test("a name that is not there, and a server that is not there, are told apart", async () => {
  const dns = await startTinyDns({ "empty.test": [] });
  const lookup = resolverAt([dns.address], systemClock);
  await expect(look(lookup, "absent.test")).rejects.toMatchObject({ code: "ENOTFOUND" });
  await expect(look(lookup, "empty.test")).rejects.toMatchObject({ code: "ENOTFOUND" });
  const nobody = resolverAt(["127.0.0.1:1"], systemClock);
  const error: unknown = await look(nobody, "absent.test").catch((failure: unknown) => failure);
  expect(error).toMatchObject({ code: "EAI_AGAIN" });
  const told = transportError(error, "GET", new URL("https://absent.test/v2/"), patient);
  expect(told.message).toContain("the name server does not answer");
});

test("addresses and localhost never go to a DNS server", async () => {
  const dns = await startTinyDns({});
  const lookup = resolverAt([dns.address], systemClock);
  expect(await look(lookup, "192.0.2.9")).toEqual([{ address: "192.0.2.9", family: 4 }]);
  expect((await look(lookup, "localhost", { family: 4 }))[0]?.address).toBe("127.0.0.1");
  expect((await look(lookup, "registry.localhost")).length).toBeGreaterThan(0);
  expect(dns.asked).toEqual([]);
});

test("the hosts file is read as the system reads it", () => {
  const text =
    "# a comment\n192.0.2.5\tregistry.lab other.lab # here\nnonsense registry.lab\n::5 REGISTRY.lab.\r\n";
  expect(addressesIn(text, "registry.lab")).toEqual(["192.0.2.5", "::5"]);
  expect(addressesIn(text, "comment")).toEqual([]);
});

test("an upstream is found by these servers, and a private address is refused where it is not internal", async () => {
  const fake = await startFake({ mode: "plain" });
  const image = fake.addImage("library/app", "1", { layers: [10] });
  const dns = await startTinyDns({ "registry.test": ["127.0.0.1"] });
  const lookup = resolverAt([dns.address], systemClock);
  const endpoints = [`http://registry.test:${new URL(fake.url).port}`];
  const { client } = clientOf(fake, { endpoints }, { lookup });
  const head = await client.headManifest(askFor("library/app", "1"));
  expect(head?.digest).toBe(image.manifestDigest);
  const { client: strict } = clientOf(fake, { endpoints, internal: false }, { lookup });
  await expect(strict.headManifest(askFor("library/app", "1"))).rejects.toMatchObject({
    code: "denied",
    message: expect.stringContaining("registry.test: it resolves to 127.0.0.1"),
  });
  await expect(look(guardLookup(false, lookup), "registry.test")).rejects.toMatchObject({ code: "denied" });
});
