/**
 * Shows what clients hear when an upstream refuses: its own status and words, for the question that it answered and for no other, and
 * what is stored all the same.
 */
import { describe, expect, it } from "vitest";
import { errorAnswer } from "../../src/http/answers/error-answer.ts";
import type { RouteKind } from "../../src/http/request-log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { type MirrorWorld, startWorld } from "../support/mirror-world.ts";

const SHARDED = "The specified tag is a sharded GGUF. Ollama does not support this yet.";
const FOR_EVER = { times: Number.POSITIVE_INFINITY };

/** What a client gets: status, codes and messages. */
async function heard(asking: Promise<unknown>, kind: RouteKind = "manifest") {
  const error = await asking.then(
    () => new Error("it was answered"),
    (thrown: unknown) => thrown,
  );
  const { status, body, contentType, retryAfterSeconds } = errorAnswer(error, {
    kind,
    rateLimitedStatus: 429,
  });
  expect(contentType).toBe("application/json");
  const { errors } = JSON.parse(body) as { errors: { code: string; message: string }[] };
  return { status, errors, retryAfterSeconds };
}

function refuse(world: MirrorWorld, match: RegExp, status: number, body: string, type = "application/json") {
  const headers = { "content-type": type, "www-authenticate": 'Basic realm="x"', "set-cookie": "a=b" };
  world.fake.fail(match, { kind: "status", status, body, headers }, FOR_EVER);
}

const oci = (code: string, message: string) => JSON.stringify({ errors: [{ code, message }] });

describe("an upstream's own refusal reaches the client", () => {
  it.each([
    [400, JSON.stringify({ error: SHARDED }), "UNSUPPORTED", SHARDED],
    [402, oci("PAYMENT", "pay"), "PAYMENT", "pay"],
    [
      403,
      oci("DENIED", "Access to model a/b is restricted."),
      "DENIED",
      "Access to model a/b is restricted.",
    ],
    [405, oci("UNSUPPORTED", "not here"), "UNSUPPORTED", "not here"],
    [406, "no such form", "UNSUPPORTED", "no such form"],
    [409, "wait", "UNSUPPORTED", "wait"],
    [410, "removed", "MANIFEST_UNKNOWN", "removed"],
    [413, "too large", "SIZE_INVALID", "too large"],
    [422, "odd", "UNSUPPORTED", "odd"],
    [451, oci("DENIED", "Unavailable in your country."), "DENIED", "Unavailable in your country."],
  ])("%i, for manifests, blobs and tags, by GET and HEAD", async (status, body, code, message) => {
    const world = await startWorld();
    world.fake.addImage("a/b", "t", { layers: [10] });
    const blob = world.fake.addGeneratedBlob({ seed: 3, size: 100 });
    const digest = digestOf(Buffer.from("some manifest"));
    refuse(world, /./, status, body, body.startsWith("{") ? undefined : "text/plain");
    const unknown =
      status === 410 ? { blob: "BLOB_UNKNOWN", tags: "NAME_UNKNOWN" } : { blob: code, tags: code };
    for (const ask of [
      () => world.get("a/b", "t"),
      () => world.head("a/b", "t"),
      () => world.get("a/b", digest),
    ]) {
      expect(await heard(ask())).toMatchObject({ status, errors: [{ code, message }] });
    }
    for (const ask of [() => world.open("a/b", blob), () => world.stat("a/b", blob)]) {
      expect(await heard(ask(), "blob")).toMatchObject({
        status,
        errors: [{ code: unknown.blob, message }],
      });
    }
    expect(await heard(world.tags("a/b", "n=5000"), "tags")).toMatchObject({
      status,
      errors: [{ code: unknown.tags, message }],
    });
  });

  it("with several errors, and none of its headers or pages", async () => {
    const world = await startWorld();
    const errors = [
      { code: "DENIED", message: "first", detail: { secret: 1 } },
      { code: "TOO_BAD", message: "second" },
    ];
    refuse(world, /one/, 403, JSON.stringify({ errors }));
    refuse(world, /two/, 451, "<html>Blocked by Example Ltd</html>", "text/html");
    expect(await heard(world.get("a/b", "one"))).toEqual({
      status: 403,
      errors: [
        { code: "DENIED", message: "first" },
        { code: "TOO_BAD", message: "second" },
      ],
      retryAfterSeconds: undefined,
    });
    const { host } = world.fake;
    expect(await heard(world.get("a/b", "two"))).toMatchObject({
      status: 451,
      errors: [{ code: "DENIED", message: `${host} answered 451.` }],
    });
  });

  it("in a header too, where a registry says it there", async () => {
    const world = await startWorld();
    const headers = { "x-error-message": "Access is restricted" };
    world.fake.fail(/./, { kind: "status", status: 403, headers }, FOR_EVER);
    expect(await heard(world.get("a/b", "t"))).toMatchObject({
      errors: [{ message: "Access is restricted" }],
    });
  });

  it("when it says that something is not there, beside our own sentence and code", async () => {
    const world = await startWorld();
    refuse(world, /manifests|tags/, 404, oci("NAME_UNKNOWN", "the tag expired in May"));
    const { status, errors } = await heard(world.get("a/b", "t"));
    expect([status, errors[0]?.code]).toEqual([404, "MANIFEST_UNKNOWN"]);
    expect(errors[0]?.message).toBe(
      "fake.test/a/b:t is not there, or is private. The registry says: the tag expired in May.",
    );
    const byDigest = await heard(world.get("a/b", digestOf(Buffer.from("x"))));
    expect(byDigest.errors[0]?.message).toContain("The registry says: the tag expired in May.");
    const tags = await heard(world.tags("a/b"), "tags");
    expect(tags.errors[0]?.message).toContain("The registry says: the tag expired in May.");
  });

  it.each([401, 407])("but %i never as one that makes a client log in", async (status) => {
    const world = await startWorld();
    refuse(world, /./, status, oci("UNAUTHORIZED", "who are you"));
    const { status: told } = await heard(world.get("a/b", "t"));
    expect([404, 502]).toContain(told);
  });

  it("of a limit and of its own trouble: its words, under our status", async () => {
    const world = await startWorld({ upstream: { policy: { attempts: 1 } } });
    world.fake.fail(/one/, { kind: "rate-limited" }, FOR_EVER);
    refuse(world, /two/, 503, oci("UNAVAILABLE", "back at noon"));
    expect(await heard(world.get("a/b", "one"))).toMatchObject({
      status: 429,
      errors: [
        { code: "TOOMANYREQUESTS", message: "You have reached your unauthenticated pull rate limit." },
      ],
    });
    expect(await heard(world.get("c/d", "two"))).toMatchObject({
      status: 502,
      errors: [{ code: "UNAVAILABLE", message: `${world.fake.host} answered 503: back at noon.` }],
    });
  });

  it("of a blob whose manifest is known, at its first byte", async () => {
    const world = await startWorld();
    const { layerDigests } = world.fake.addImage("a/b", "t", { layers: [3_000] });
    await world.get("a/b", "t");
    refuse(world, /blobs/, 451, oci("DENIED", "Unavailable in your country."));
    expect(await heard(world.read("a/b", layerDigests[0] ?? ""), "blob")).toMatchObject({
      status: 451,
      errors: [{ code: "DENIED", message: "Unavailable in your country." }],
    });
  });
});

describe("an upstream's refusal is a verdict on one question", () => {
  it("which is not asked again for a while, and nothing else is kept from being asked", async () => {
    const world = await startWorld();
    const { manifestDigest } = world.fake.addImage("a/b", "good", { layers: [10] });
    refuse(world, /\/bad$/, 400, JSON.stringify({ error: SHARDED }));
    for (let time = 0; time < 3; time++) {
      expect((await heard(world.get("a/b", "bad"))).status).toBe(400);
      expect((await heard(world.head("a/b", "bad"))).status).toBe(400);
    }
    expect(world.fake.count({ reference: "bad" })).toBe(1);
    expect((await world.get("a/b", "good")).manifest.digest).toBe(manifestDigest);
    expect((await world.mirror.status()).upstreams[0]?.circuit).toBe("closed");
    world.clock.aheadMs += 6_000;
    await heard(world.get("a/b", "bad"));
    expect(world.fake.count({ reference: "bad" })).toBe(2);
  });

  it("and does not take a stored tag away, unless it is one for good that is said twice", async () => {
    const world = await startWorld();
    const { fake, clock } = world;
    for (const status of [400, 402, 403, 405, 406, 413, 451, 410]) {
      fake.faults.splice(0);
      const repository = `a/r${status}`;
      fake.addImage(repository, "t", { layers: [10] });
      const { manifest } = await world.get(repository, "t");
      clock.aheadMs += 700_000;
      refuse(world, /./, status, "the words");
      expect(await world.get(repository, "t")).toMatchObject({ outcome: "stale", manifest });
      clock.aheadMs += 11_000;
      const isForGood = status === 410 || status === 451;
      if (isForGood) expect((await heard(world.get(repository, "t"))).status).toBe(status);
      else expect(await world.get(repository, "t")).toMatchObject({ outcome: "stale" });
      // By its digest it is what it was.
      expect((await world.get(repository, manifest.digest)).manifest.bytes).toEqual(manifest.bytes);
    }
  });
});
