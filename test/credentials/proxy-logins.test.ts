/** Shows that the proxy's upstreams use the login files (`credentials: docker-config`), and that a login opens nothing to strangers. */
import { describe, expect, it, onTestFinished } from "vitest";
import { loadSettings } from "../../src/config/load.ts";
import { serve } from "../../src/http/serve.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { openMirror } from "../../src/open.ts";
import { base64, DOCKER_CONFIG, type LoginHome, loginHome } from "../support/logins.ts";
import { startWorld } from "../support/mirror-world.ts";
import { startFake } from "../support/start-upstream.ts";
import { ask, errorsOf } from "../support/wire.ts";

const HOUR_MS = 3_600_000;
const login = { auth: base64("alice:wonderland") };

/** Granary as `serve` starts it, over a registry with the private repository org/secret. */
async function startProxy(home: LoginHome) {
  const privateRepositories = new Set(["org/secret"]);
  const fake = await startFake({
    mode: "hub",
    settings: { users: { alice: "wonderland" }, privateRepositories },
  });
  const { manifestDigest, layerDigests } = fake.addImage("org/secret", "1", { layers: [1000] });
  const file = await home.write(
    "granary.yaml",
    `listeners: [{port: 0, host: 127.0.0.1, upstream: lab.example, login: {username: team, password: "\${TEAM}"}}, {port: 0, host: 127.0.0.1, upstream: lab.example}]
storage: {directory: ${home.path("data")}, minFree: 0}
upstreams: {lab.example: {endpoints: ["${fake.url}"], internal: true, realms: [127.0.0.2], credentials: docker-config}}
`,
  );
  const settings = await loadSettings(file, { TEAM: "t" });
  const observers = { log: silentLog, metrics: createMetrics(), clock: systemClock };
  const mirror = await openMirror(settings, observers, home.env);
  onTestFinished(() => mirror.close(1_000));
  const serving = await serve(settings, mirror, observers);
  onTestFinished(() => serving.close());
  const [team = 0, open = 0] = serving.listeners.map(({ port }) => port);
  return { fake, team, open, manifestDigest, layer: layerDigests[0] };
}

describe("credentials: docker-config", () => {
  it("opens a private repository upstream to clients that logged in, and to nobody else", async () => {
    const home = await loginHome();
    const { fake, team, open, manifestDigest, layer } = await startProxy(home);
    await home.write(DOCKER_CONFIG, { auths: { [fake.host]: login } });
    const headers = { authorization: `Basic ${base64("team:t")}` };
    const answer = await ask(team, "/v2/org/secret/manifests/1", { headers });
    expect(answer).toMatchObject({ status: 200, headers: { "docker-content-digest": manifestDigest } });
    const blob = await ask(team, `/v2/org/secret/blobs/${layer}`, { headers });
    expect(blob).toMatchObject({ status: 200, isComplete: true });
    for (const path of ["manifests/1", `manifests/${manifestDigest}`, `blobs/${layer}`, "tags/list"]) {
      expect((await ask(open, `/v2/org/secret/${path}`)).status, path).toBe(404);
    }
  });

  it("looks at use time: without a login 404, after one 200, without a restart", async () => {
    const home = await loginHome();
    const { fake, team } = await startProxy(home);
    const headers = { authorization: `Basic ${base64("team:t")}` };
    const digest = fake.addGeneratedBlob({ seed: 9, size: 10 }, "org/secret");
    expect((await ask(team, `/v2/org/secret/blobs/${digest}`, { headers })).status).toBe(404);
    await home.write(DOCKER_CONFIG, { auths: { [`${fake.host}/org`]: login } });
    expect((await ask(team, "/v2/org/secret/manifests/1", { headers })).status).toBe(200);
  });

  it("says by name what it cannot read, without its content", async () => {
    const home = await loginHome();
    await home.write(DOCKER_CONFIG, "TOPSECRET");
    const { team } = await startProxy(home);
    const headers = { authorization: `Basic ${base64("team:t")}` };
    const answer = await ask(team, "/v2/org/secret/manifests/1", { headers });
    expect(answer.status).toBe(500);
    expect(errorsOf(answer)[0]?.message).toContain("~/.docker/config.json is not a JSON object");
    expect(answer.body.toString()).not.toContain("TOPSECRET");
  });
});

it("a login made later does not open to strangers what they asked for before it", async () => {
  const home = await loginHome();
  let host = "";
  const logins = home.logins();
  const world = await startWorld({
    mode: "hub",
    settings: { users: { alice: "wonderland" }, privateRepositories: new Set(["org/secret"]) },
    upstream: { credentials: ({ repository }) => logins.find({ names: [host], repository }) },
  });
  host = world.fake.host;
  world.fake.addImage("org/secret", "1", { layers: [10] });
  world.fake.addImage("org/open", "1", { layers: [10] });
  await expect(world.get("org/secret", "1")).rejects.toMatchObject({ code: "not-found" });
  await home.write(DOCKER_CONFIG, { auths: { [host]: login } });
  world.clock.aheadMs += HOUR_MS / 4;
  expect((await world.get("org/open", "1")).outcome).toBe("miss");
  await expect(world.get("org/secret", "1")).rejects.toMatchObject({ code: "not-found" });
  expect((await world.get("org/secret", "1", { loggedIn: true })).outcome).toBe("miss");
  await expect(world.get("org/secret", "1")).rejects.toMatchObject({ code: "not-found" });
});
