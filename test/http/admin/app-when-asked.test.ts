/** Shows that the admin application is made by the first request, once for all, and that a failure to make it does not last. */
import { expect, test, vi } from "vitest";
import { appWhenAsked } from "../../../src/http/admin/app-when-asked.ts";

const made = { fetch: () => new Response("here") };
const request = new Request("http://localhost/");

test("it is made when somebody first asks, once for all who ask", async () => {
  const make = vi.fn(async () => made);
  const app = appWhenAsked(make);
  expect(make).not.toHaveBeenCalled();
  const answers = await Promise.all([app.fetch(request), app.fetch(request)]);
  expect(await Promise.all(answers.map((answer) => answer.text()))).toEqual(["here", "here"]);
  await app.fetch(request);
  expect(make).toHaveBeenCalledTimes(1);
});

test("what could not be made for one request is made for the next", async () => {
  const make = vi.fn(async () => made).mockRejectedValueOnce(new Error("too many open files"));
  const app = appWhenAsked(make);
  await expect(app.fetch(request)).rejects.toThrow("too many open files");
  expect(await (await app.fetch(request)).text()).toBe("here");
});
