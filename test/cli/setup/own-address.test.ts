/** Shows that an address that a person names for a listener of this Granary brings what is known of that listener with it. */
import { expect, test } from "vitest";
import { mirrorTarget } from "../../../src/cli/setup/mirror-address.ts";
import { caPem } from "../../support/throwaway-tls.ts";

const LISTENER = { upstream: "docker.io", host: undefined, wantsLogin: false, certificate: undefined };
const GRANARY = {
  upstreams: [],
  listeners: [
    { ...LISTENER, port: 5_000, urls: ["http://192.0.2.10:5000"] as const },
    {
      ...LISTENER,
      port: 5_443,
      urls: ["https://granary.lab:5443"] as const,
      certificate: caPem,
      wantsLogin: true,
    },
  ],
};

const ofPage = (serverAddress: string) =>
  mirrorTarget("podman", { serverAddress, isElsewhere: true, isOwn: true }, GRANARY);

test("the certificate that signed itself is given to the client, and a login is asked for", async () => {
  expect(await ofPage("https://10.0.0.7:5443")).toMatchObject({
    url: "https://10.0.0.7:5443",
    ca: caPem,
    wantsLogin: true,
  });
});

test.each([
  ["http://10.0.0.7:5000", "a plain listener has none"],
  ["https://granary.example", "what stands before Granary has a certificate of its own"],
  ["http://10.0.0.7:5443", "a plain address has none"],
])("of %s nothing is made up: %s", async (address) => {
  expect(await ofPage(address)).toMatchObject({ url: address, ca: undefined, wantsLogin: false });
});

test("the address of another Granary, on a command line, says nothing of this one", async () => {
  const target = await mirrorTarget("podman", { serverAddress: "https://10.0.0.7:5443" }, GRANARY);
  expect(target).toMatchObject({ ca: undefined, wantsLogin: false });
});
