/** Shows how long an authority stays the same for the clients that trust it, who can read its key, and what becomes of a damaged one. */
import { X509Certificate } from "node:crypto";
import { chmod, cp, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openAuthority, rotateAuthority } from "../../src/authority/authority.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { closeToOthers } from "../../src/store/close-to-others.ts";
import { layoutOf } from "../../src/store/layout.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { authorityWorld } from "./support.ts";

const DAY = 86_400_000;
const HOSTS = ["ghcr.io", "quay.io"];

const keyOf = (pem: string) => new X509Certificate(pem).publicKey.export({ type: "spki", format: "pem" });
const modeOf = async (path: string) => ((await stat(path)).mode & 0o777).toString(8);

describe("what clients trust", () => {
  test("stays the same over restarts, in whatever order the hosts are named", async () => {
    const { directory, made, authority } = await authorityWorld(HOSTS);
    expect(made).toBe("first");
    const again = await openAuthority(directory, ["QUAY.io", "ghcr.io"], systemClock);
    expect(again.made).toBe("opened");
    expect(again.authority.certificate).toBe(authority.certificate);
  });

  test("is another certificate by the same key for other hosts, and who trusts the one before goes on with its hosts", async () => {
    const world = await authorityWorld(HOSTS);
    const before = await readFile(world.caFile, "utf8");
    const { made, authority } = await openAuthority(world.directory, [...HOSTS, "nvcr.io"], systemClock);
    expect(made).toBe("renewed");
    expect(authority.certificate).not.toBe(before);
    expect(keyOf(authority.certificate)).toEqual(keyOf(before));
    expect(await world.verify((await authority.leaf("nvcr.io")).cert, "nvcr.io")).toMatchObject({ code: 0 });
    await writeFile(world.caFile, before);
    expect(await world.verify((await authority.leaf("ghcr.io")).cert, "ghcr.io")).toMatchObject({ code: 0 });
    expect(await world.verify((await authority.leaf("nvcr.io")).cert, "nvcr.io")).toMatchObject({ code: 1 });
  });

  test("is the same at another node that was given the folder, for other hosts too", async () => {
    const [first, second] = [await authorityWorld(HOSTS), await tempDirectory()];
    await cp(join(first.directory, "authority"), join(second, "authority"), { recursive: true });
    const copied = await openAuthority(second, HOSTS, systemClock);
    expect(copied).toMatchObject({ made: "opened", wasOpen: false });
    expect(copied.authority.certificate).toBe(first.authority.certificate);
    const { authority } = await openAuthority(second, [...HOSTS, "nvcr.io"], systemClock);
    expect(await first.verify((await authority.leaf("ghcr.io")).cert, "ghcr.io")).toMatchObject({ code: 0 });
  });

  test("is renewed by the same key half a year before its end", async () => {
    const directory = await tempDirectory();
    const clock = new FakeClock();
    const first = await openAuthority(directory, HOSTS, clock);
    await clock.advance((10 * 365 - 181) * DAY);
    expect((await openAuthority(directory, HOSTS, clock)).made).toBe("opened");
    await clock.advance(2 * DAY);
    const renewed = await openAuthority(directory, HOSTS, clock);
    expect(renewed.made).toBe("renewed");
    expect(keyOf(renewed.authority.certificate)).toEqual(keyOf(first.authority.certificate));
  });

  test("is another key after a rotation, and its certificates are nothing to who trusts the one before", async () => {
    const world = await authorityWorld(HOSTS);
    const before = await readFile(world.caFile, "utf8");
    const authority = await rotateAuthority(world.directory, HOSTS, systemClock);
    expect(keyOf(authority.certificate)).not.toEqual(keyOf(before));
    expect((await openAuthority(world.directory, HOSTS, systemClock)).made).toBe("opened");
    await writeFile(world.caFile, before);
    expect(await world.verify((await authority.leaf("ghcr.io")).cert, "ghcr.io")).toMatchObject({ code: 1 });
  });
});

describe("the certificate of a host", () => {
  test("is made once for all who ask at the same time, and kept", async () => {
    const { authority } = await authorityWorld(HOSTS);
    const asked = await Promise.all(Array.from({ length: 20 }, () => authority.leaf("ghcr.io")));
    expect(new Set(asked.map(({ key }) => key)).size).toBe(1);
    expect(await authority.leaf("GHCR.IO")).toEqual(asked[0]);
    expect((await authority.leaf("quay.io")).key).not.toBe(asked[0]?.key);
  });

  test("is made anew when less than a day of it is left, and when the clock was set back before it", async () => {
    const clock = new FakeClock();
    const { authority } = await openAuthority(await tempDirectory(), HOSTS, clock);
    const first = await authority.leaf("ghcr.io");
    await clock.advance(6 * DAY - 60_000);
    expect(await authority.leaf("ghcr.io")).toEqual(first);
    await clock.advance(120_000);
    const second = await authority.leaf("ghcr.io");
    expect(second.cert).not.toBe(first.cert);
    const { validFromDate, validToDate } = new X509Certificate(second.cert);
    expect(
      [validFromDate.getTime() - clock.now(), validToDate.getTime() - clock.now()].map((ms) =>
        Math.round(ms / DAY),
      ),
    ).toEqual([-1, 7]);
    clock.setBy(-3 * DAY);
    expect((await authority.leaf("ghcr.io")).cert).not.toBe(second.cert);
  });

  test("does not outlive the authority", async () => {
    const clock = new FakeClock();
    const { authority } = await openAuthority(await tempDirectory(), HOSTS, clock);
    await clock.advance((10 * 365 - 3) * DAY);
    const { validToDate } = new X509Certificate((await authority.leaf("ghcr.io")).cert);
    expect(validToDate).toEqual(new X509Certificate(authority.certificate).validToDate);
  });

  test.each([
    "example.com",
    "io",
    "notghcr.io",
    "ghcr.io.example.com",
    "192.0.2.1",
    "",
    "*.ghcr.io",
    "a\0.ghcr.io",
    ".ghcr.io",
    "a/b.ghcr.io",
  ])("is not made for %j", async (host) => {
    const { authority } = await authorityWorld(HOSTS);
    await expect(authority.leaf(host)).rejects.toMatchObject({ code: "denied" });
  });
});

describe("the key", () => {
  test("is for its owner alone, whatever the umask says, and the start of a server leaves it so", async () => {
    const umask = process.umask(0);
    try {
      const { directory, keyFile } = await authorityWorld(HOSTS);
      await closeToOthers(layoutOf(directory));
      expect([await modeOf(keyFile), await modeOf(join(directory, "authority"))]).toEqual(["600", "700"]);
    } finally {
      process.umask(umask);
    }
  });

  test("that others could read is closed to them, and that is told", async () => {
    const { directory, keyFile, wasOpen } = await authorityWorld(HOSTS);
    expect(wasOpen).toBe(false);
    await chmod(join(directory, "authority"), 0o755);
    await chmod(keyFile, 0o644);
    expect(await openAuthority(directory, HOSTS, systemClock)).toMatchObject({
      made: "opened",
      wasOpen: true,
    });
    expect([await modeOf(keyFile), await modeOf(join(directory, "authority"))]).toEqual(["600", "700"]);
  });

  test.each([
    [
      "is damaged",
      (path: string) => writeFile(path, "-----BEGIN PRIVATE KEY-----\nxx\n-----END PRIVATE KEY-----\n"),
    ],
    ["is empty", (path: string) => writeFile(path, "")],
    ["is gone", (path: string) => rm(path)],
  ])("that %s is one error with what to do, and a rotation does it", async (_, damage) => {
    const { directory, keyFile } = await authorityWorld(HOSTS);
    await damage(keyFile);
    await expect(openAuthority(directory, HOSTS, systemClock)).rejects.toMatchObject({
      code: "store-damaged",
      message: expect.stringMatching(/ca\.key.*granary ca rotate/),
    });
    await rotateAuthority(directory, HOSTS, systemClock);
    expect((await openAuthority(directory, HOSTS, systemClock)).made).toBe("opened");
  });

  test("that cannot be read for another reason is told with that", async () => {
    const { directory, keyFile } = await authorityWorld(HOSTS);
    await rm(keyFile);
    await mkdir(keyFile);
    await expect(openAuthority(directory, HOSTS, systemClock)).rejects.toMatchObject({
      code: "store-damaged",
      message: expect.stringContaining("EISDIR"),
    });
  });
});

describe("after a kill", () => {
  test("between a key and its certificate, the next start makes the certificate", async () => {
    const { directory, caFile, keyFile } = await authorityWorld(HOSTS);
    await rm(caFile);
    expect((await openAuthority(directory, HOSTS, systemClock)).made).toBe("first");
    const other = await authorityWorld(HOSTS);
    await writeFile(keyFile, await readFile(other.keyFile));
    const { made, authority } = await openAuthority(directory, HOSTS, systemClock);
    expect(made).toBe("renewed");
    expect(keyOf(authority.certificate)).toEqual(keyOf(other.authority.certificate));
  });

  test("a certificate that is damaged is made anew by the key", async () => {
    const { directory, caFile, authority } = await authorityWorld(HOSTS);
    await writeFile(caFile, authority.certificate.slice(0, 100));
    const opened = await openAuthority(directory, HOSTS, systemClock);
    expect(opened.made).toBe("renewed");
    expect(keyOf(opened.authority.certificate)).toEqual(keyOf(authority.certificate));
  });
});
