/** Shows, by the judgement of programs that clients use, what the authority's certificates are good for, and what not even a thief of its key can do. */
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { connect } from "node:tls";
import { promisify } from "node:util";
import { describe, expect, onTestFinished, test } from "vitest";
import { openAuthority } from "../../src/authority/authority.ts";
import { certificateFacts } from "../../src/authority/certificate-facts.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { type AuthorityWorld, authorityWorld, forge, openssl } from "./support.ts";

const HOSTS = ["ghcr.io", "registry-1.docker.io", "localhost", "192.0.2.7", "fd00::7"];

describe("openssl", () => {
  test("accepts a certificate for each of the hosts, and for a name below one", async () => {
    const world = await authorityWorld(HOSTS);
    for (const host of [...HOSTS, "pkg.ghcr.io"]) {
      const { cert } = await world.authority.leaf(host);
      expect(await world.verify(cert, host), host).toMatchObject({ code: 0 });
    }
  });

  test("refuses the certificate of one host for another", async () => {
    const world = await authorityWorld(HOSTS);
    const { cert } = await world.authority.leaf("ghcr.io");
    expect(await world.verify(cert, "quay.io")).toMatchObject({
      code: 1,
      text: expect.stringContaining("hostname mismatch"),
    });
  });

  test.each([
    ["a name", "DNS:example.com", "example.com"],
    ["a name that only ends alike", "DNS:notghcr.io", "notghcr.io"],
    ["every name below one", "DNS:*.example.com", "registry.example.com"],
    ["an address", "IP:192.0.2.8", "192.0.2.8"],
    ["an address of IPv6", "IP:fd00::8", "fd00::8"],
  ])("refuses %s that the thief of the key has signed a certificate for", async (_, name, host) => {
    const world = await authorityWorld(HOSTS);
    expect(await world.verify(await forge(world, name), host)).toMatchObject({
      code: 1,
      text: expect.stringContaining("permitted subtree violation"),
    });
  });

  test("accepts what the thief has signed for a host of the authority: the test above fails for its name alone", async () => {
    const world = await authorityWorld(HOSTS);
    expect(await world.verify(await forge(world, "DNS:ghcr.io"), "ghcr.io")).toMatchObject({ code: 0 });
  });

  test.each([
    ["addresses, where only names are permitted", ["ghcr.io"], "IP:192.0.2.8", "192.0.2.8"],
    ["IPv6 addresses, where only names are permitted", ["ghcr.io"], "IP:fd00::8", "fd00::8"],
    ["names, where only an address is permitted", ["192.0.2.7"], "DNS:ghcr.io", "ghcr.io"],
    ["names, where nothing is permitted", [], "DNS:ghcr.io", "ghcr.io"],
  ])("refuses all %s", async (_, hosts, name, host) => {
    const world = await authorityWorld(hosts);
    expect(await world.verify(await forge(world, name), host)).toMatchObject({
      code: 1,
      text: expect.stringMatching(/excluded subtree violation/),
    });
  });

  test("reads constraints that are critical, an authority that makes no other one, and a server's certificate with one kind of name", async () => {
    const world = await authorityWorld(HOSTS);
    const { text: own } = await openssl("x509", "-in", world.caFile, "-noout", "-text");
    expect(own).toMatch(/X509v3 Name Constraints: critical\s+Permitted:/);
    expect(own).toMatch(/X509v3 Basic Constraints: critical\s+CA:TRUE, pathlen:0/);
    expect(own).toMatch(/X509v3 Key Usage: critical\s+Certificate Sign\n/);
    const { cert } = await world.authority.leaf("ghcr.io");
    await world.verify(cert, "ghcr.io");
    const { text: leaf } = await openssl("x509", "-in", `${world.directory}/leaf.pem`, "-noout", "-text");
    expect(leaf).toMatch(/X509v3 Extended Key Usage: \s+TLS Web Server Authentication\n/);
    expect(leaf).toMatch(/X509v3 Subject Alternative Name: \s+DNS:ghcr.io\n/);
    expect(leaf).toMatch(/Subject: O = Granary\n/);
  });

  test("permits hundreds of hosts as well", async () => {
    const hosts = Array.from({ length: 400 }, (_, at) => `registry-${at}.example.com`).sort();
    const world = await authorityWorld(hosts);
    const { cert } = await world.authority.leaf("registry-399.example.com");
    expect(await world.verify(cert, "registry-399.example.com")).toMatchObject({ code: 0 });
    expect(certificateFacts(world.authority.certificate)?.hosts).toEqual(hosts);
    expect((await openAuthority(world.directory, hosts, systemClock)).made).toBe("opened");
  });
});

/** A server with a certificate of the authority for each name that is asked for. */
async function serve({ authority }: AuthorityWorld): Promise<number> {
  const { cert, key } = await authority.leaf("ghcr.io");
  const server = createServer({ cert, key }, (_, answer) => answer.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

test("a client of Node accepts it, by the authority's certificate alone", async () => {
  const world = await authorityWorld(HOSTS);
  const port = await serve(world);
  const { certificate: ca } = world.authority;
  const handshake = (servername: string) =>
    new Promise<string>((resolve) => {
      const socket = connect({ port, host: "127.0.0.1", servername, ca }, () => {
        resolve(socket.authorized ? "authorized" : "refused");
        socket.destroy();
      });
      socket.on("error", ({ message }) => resolve(message));
    });
  expect(await handshake("ghcr.io")).toBe("authorized");
  expect(await handshake("quay.io")).toMatch(/does not match certificate/);
});

test("curl accepts it with the file of the authority, and not without", async () => {
  const world = await authorityWorld(HOSTS);
  const port = await serve(world);
  const args = [
    "-sS",
    "--noproxy",
    "*",
    "--resolve",
    `ghcr.io:${port}:127.0.0.1`,
    `https://ghcr.io:${port}/`,
  ];
  const { stdout } = await promisify(execFile)("curl", ["--cacert", world.caFile, ...args]);
  expect(stdout).toBe("hello");
  await expect(promisify(execFile)("curl", args)).rejects.toThrow(/certificate/);
});

test("what people are told of it is what it says", async () => {
  const { authority, caFile } = await authorityWorld(HOSTS);
  const facts = certificateFacts(authority.certificate);
  expect(facts?.hosts).toEqual([...HOSTS].sort());
  expect(authority.hosts).toEqual([...HOSTS].sort());
  const { text } = await openssl("x509", "-in", caFile, "-noout", "-fingerprint", "-sha256");
  expect(text.trim().split("=")[1]).toBe(facts?.fingerprint);
  expect(new X509Certificate(authority.certificate).subject).toMatch(
    /^CN=Granary authority [0-9a-f]{8}\nO=Granary$/,
  );
  expect(certificateFacts("no certificate")).toBeUndefined();
});
