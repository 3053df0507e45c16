/** Shows what `granary top` draws, at several widths, and that nothing in a name can move the cursor. */
import { describe, expect, test } from "vitest";
import { fillMap } from "../../../../src/cli/admin/top/fill-map.ts";
import { topScreen } from "../../../../src/cli/admin/top/top-screen.ts";
import { type Status, statusSchema } from "../../../../src/http/admin/routes/status-routes.ts";

const MiB = 2 ** 20;
const sums = { served: 0, fetched: 0, saved: 0, pulls: 0 };

function fill(name: string, share: number): Status["fills"][number] {
  const size = 100 * MiB;
  const present = Math.round(size * share);
  return {
    digest: `sha256:${"a".repeat(64)}`,
    upstream: "docker.io",
    state: "filling",
    size,
    present,
    lanes: 2,
    readers: 1,
    waits: 1,
    purpose: "waited",
    begunAt: 1_000_000,
    bytesPerSecond: 10 * MiB,
    serves: [
      { repository: name, tag: "3.22", client: "10.0.0.7", purpose: "waited", readers: 1, waiting: 1 },
    ],
    runs: [{ start: 0, end: present }],
    lanesAt: [present],
    readersAt: [0],
  };
}

function status(change: Partial<Status> = {}): Status {
  return statusSchema.parse({
    version: "0.1.0",
    startedAt: 0,
    now: 1_010_000,
    fills: [fill("library/alpine", 0.25)],
    pulls: [
      {
        id: 1,
        upstream: "docker.io",
        repository: "library/alpine",
        tag: "3.22",
        platform: "linux/arm64",
        client: "10.0.0.7",
        agent: "docker",
        begunAt: 1_000_000,
        served: 25 * MiB,
        size: 100 * MiB,
        bytesPerSecond: 0,
        requests: 1,
        waiting: 0,
      },
    ],
    clients: [],
    upstreams: [
      { name: "docker.io", circuit: "closed", rateLimit: { limit: 100, remaining: 87 } },
      { name: "ghcr.io", circuit: "open", retryAt: 1_022_000, reason: "connection refused" },
      { name: "quay.io", circuit: "closed" },
    ],
    disk: { used: 2 ** 30, budget: 10 * 2 ** 30, free: 2 ** 34 },
    blobs: 1,
    manifests: 1,
    pins: 0,
    traffic: {
      today: { ...sums, served: 3 * MiB, saved: 2 * MiB },
      all: { ...sums, served: 30 * MiB, saved: -MiB },
      minutes: [],
    },
    troubles: [],
    ...change,
  });
}

const seen = { where: "/data", before: undefined };
const endless = Number.POSITIVE_INFINITY;

describe("the screen", () => {
  test("says what is going on", () => {
    expect(topScreen(status(), seen, { columns: 100, rows: endless }).join("\n")).toMatchInlineSnapshot(`
      "Granary 0.1.0, up for 16.8m, /data
      To clients    3 MiB today
      From upstream 0 B today
      Saved         2 MiB today, -1 MiB in all
      Disk          1 GiB of 10 GiB (10%)

      Transfers  (# here, + in part, . not yet, > is being fetched, | is being read)
        library/alpine:3.22  25% of 100 MiB, 0:08 left  10 MiB/s  1 waiting  docker.io  10s
        [|######################>.......................................................................]

      Pulls
        10.0.0.7  docker  library/alpine:3.22  25 MiB of 100 MiB  10s

      Upstreams
        docker.io  87 of 100 pulls left
        ghcr.io  down, asked again in 12s: connection refused
        1 in order"
    `);
  });

  test.each([40, 80, 200])("of %i columns has no longer line, and all of it there is room for", (columns) => {
    const many = Array.from({ length: 30 }, (_, index) =>
      fill(`library/image-with-a-long-name-${index}`, index / 30),
    );
    for (const rows of [10, 24, endless]) {
      const lines = topScreen(status({ fills: many }), seen, { columns, rows });
      expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(columns);
      expect(lines.length).toBeLessThanOrEqual(rows);
      expect(lines.join("\n")).toContain("image-with-a-long-name-0");
    }
    expect(topScreen(status({ fills: many }), seen, { columns, rows: 24 }).join("\n")).toMatch(
      /and \d+ more lines/,
    );
  });

  test("has rates once there are two snapshots", () => {
    const all = { ...sums, served: 10 * MiB, fetched: 4 * MiB };
    const before = status({ now: 1_008_000, traffic: { today: sums, all, minutes: [] } });
    const later = status({
      traffic: { today: sums, all: { ...all, served: 30 * MiB, fetched: 6 * MiB }, minutes: [] },
    });
    const lines = topScreen(later, { where: "/data", before }, { columns: 80, rows: endless });
    expect(lines).toContain("To clients    10 MiB/s, 0 B today");
    expect(lines).toContain("From upstream 1 MiB/s, 0 B today");
  });

  test("obeys nothing that stands in a name", () => {
    const lines = topScreen(status({ fills: [fill("evil\u001b[2J\u202e\n", 0.5)] }), seen, {
      columns: 200,
      rows: endless,
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for.
    expect(lines.join("")).not.toMatch(/[\u0000-\u001f\u202e]/);
  });
});

describe("the map of a blob", () => {
  const map = (runs: [number, number][], lanesAt: number[] = [], readersAt: number[] = [], width = 12) =>
    fillMap({ size: 100, runs: runs.map(([start, end]) => ({ start, end })), lanesAt, readersAt }, width);

  test.each([
    [map([]), "[..........]"],
    [map([[0, 100]]), "[##########]"],
    [map([[0, 50]]), "[#####.....]"],
    [map([[5, 25]]), "[+#+.......]"],
    [
      map([
        [5, 6],
        [7, 8],
        [95, 100],
      ]),
      "[+........+]",
    ],
    [map([[0, 30]], [30, 99], [10]), "[#|#>.....>]"],
    [map([[0, 100]], [100], []), "[#########>]"],
    [map([], [], [], 5), ""],
    [fillMap({ size: 0, runs: [], lanesAt: [], readersAt: [] }, 40), ""],
    [
      fillMap({ size: 100, runs: [], cells: `${"#".repeat(10)}....+.....`, lanesAt: [], readersAt: [] }, 12),
      "[#####..+..]",
    ],
  ])("%s", (drawn, expected) => {
    expect(drawn).toBe(expected);
  });
});
