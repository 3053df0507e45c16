/** Shows that a person finds a client by its address, however that is written. */
import { expect, test } from "vitest";
import type { AdminParts } from "../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../src/http/admin/app.ts";
import { writtenAddress } from "../../src/http/client-network.ts";
import { silentLog } from "../../src/observe/log.ts";
import { imageOf, recordsWorld } from "../support/records-world.ts";

test.each([
  ["2001:DB8:0:0::1", "2001:db8::1"],
  ["2001:0db8:0000:0000:0000:0000:0000:0001", "2001:db8::1"],
  ["::FFFF:192.0.2.1", "192.0.2.1"],
  ["192.0.2.1", "192.0.2.1"],
  ["fe80::1%eth0", "fe80::1%eth0"],
  ["(others)", "(others)"],
])("%s is kept as %s", (written, kept) => {
  expect(writtenAddress(written)).toBe(kept);
});

test("its pulls are listed by any of them", async () => {
  const { records, clock } = await recordsWorld();
  const image = imageOf("alpine", [10, 500]);
  const at = { client: "2001:db8::1" };
  const record = records.open({
    ...{ client: at.client, userAgent: undefined, upstream: "docker.io", repository: "library/alpine" },
    ...{ reference: { tag: "3" }, kind: "manifest", isHead: false },
  });
  record.found(image);
  record.end({ from: "stored", isWhole: true, failure: undefined });
  const app = createAdminApp({ records, clock, log: silentLog } as unknown as AdminParts);
  for (const written of ["2001:db8::1", "2001:DB8:0:0::1"]) {
    const answer = await app.request(`/api/v1/pulls?client=${encodeURIComponent(written)}`);
    expect(await answer.json()).toMatchObject({ items: [at] });
  }
});
