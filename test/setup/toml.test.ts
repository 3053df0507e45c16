/** Shows that TOML is edited where its keys stand, in whatever form people wrote them, and that nothing else moves. */
import { describe, expect, test } from "vitest";
import { applyChange, revertChange } from "../../src/setup/apply-change.ts";
import type { KeyPath, PlainValue, TreeEdit } from "../../src/setup/change.ts";

const set = (at: KeyPath, value: PlainValue): TreeEdit => ({ does: "set", at, value });
const list = (at: KeyPath, value: string): TreeEdit => ({ does: "list", at, value });
const edited = (text: string, ...edits: TreeEdit[]) => applyChange(text, { format: "toml", edits });

describe("a key that is new", () => {
  const cases: Record<string, readonly [before: string, at: KeyPath, after: string]> = {
    "goes into its table, at the indent of that table": [
      "# ours\n[a]\n\tx = 1 # one\n\n[b]\ny = 2\n",
      ["a", "k"],
      '# ours\n[a]\n\tx = 1 # one\n\tk = "v"\n\n[b]\ny = 2\n',
    ],
    "goes into a table without keys": ["[a]\n\n[b]\n", ["a", "k"], '[a]\nk = "v"\n\n[b]\n'],
    "goes before the first table where it has none of its own": [
      "x = 1\n\n# about a\n[a]\n",
      ["k"],
      'x = 1\nk = "v"\n\n# about a\n[a]\n',
    ],
    "goes below a header of its own at the end": [
      "[a.b.c]\nx = 1",
      ["a", "b", "k"],
      '[a.b.c]\nx = 1\n\n[a.b]\nk = "v"\n',
    ],
    "goes beside dotted keys, which no header may follow": [
      "[a]\nb.x = 1\nc = 2\n",
      ["a", "b", "k"],
      '[a]\nb.x = 1\nb.k = "v"\nc = 2\n',
    ],
    "goes into an inline table": ["a = { x = 1 } # one\n", ["a", "k"], 'a = { x = 1, k = "v" } # one\n'],
    "goes into an empty inline table": ["a = {}\n", ["a", "k"], 'a = { k = "v" }\n'],
    "is quoted where it must be": [
      '[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    x = 1\n',
      ["plugins", "io.containerd.grpc.v1.cri", "registry", "config_path"],
      '[plugins]\n  [plugins."io.containerd.grpc.v1.cri"]\n    x = 1\n\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "v"\n',
    ],
    "goes into a table whose name is written with other quotes": [
      "[plugins.'io.x'.registry]\n  y = 1\n",
      ["plugins", "io.x", "registry", "k"],
      "[plugins.'io.x'.registry]\n  y = 1\n  k = \"v\"\n",
    ],
  };
  for (const [what, [before, at, after]] of Object.entries(cases)) {
    test(`${what}, and goes away without a trace`, () => {
      expect(edited(before, set(at, "v"))).toBe(after);
      expect(edited(after, set(at, "v"))).toBe(after);
      const back = revertChange(after, { format: "toml", edits: [set(at, "v")] }, before);
      // The header of a table that its own tables imply may stay: it says nothing.
      expect(back.replace("\n\n[a.b]\n", "").trim()).toBe(before.trim());
    });
  }
});

test("a value is replaced where it stands, its comment stays, and undo brings it back", () => {
  const before = "[a]\nk = '' # where hosts are\nx = 1\n";
  const after = edited(before, set(["a", "k"], "/etc/certs.d"));
  expect(after).toBe('[a]\nk = "/etc/certs.d" # where hosts are\nx = 1\n');
  expect(revertChange(after, { format: "toml", edits: [set(["a", "k"], "/etc/certs.d")] }, before)).toBe(
    '[a]\nk = "" # where hosts are\nx = 1\n',
  );
});

test("a table goes before its siblings, whose order is the order in which they are asked, and after their comments' own", () => {
  const before = `server = "https://registry-1.docker.io"

# the old mirror
[host."https://old.lab"]
  capabilities = ["pull"]
`;
  const edit = set(["host", "http://granary.lab:5000"], { capabilities: ["pull", "resolve"] });
  const after = edited(before, edit);
  expect(after).toBe(`server = "https://registry-1.docker.io"

[host."http://granary.lab:5000"]
  capabilities = ["pull", "resolve"]

# the old mirror
[host."https://old.lab"]
  capabilities = ["pull"]
`);
  expect(revertChange(after, { format: "toml", edits: [edit] }, before)).toBe(before);
});

test("a list of one line and one of several lines get the item first, in their layout", () => {
  expect(edited('m = ["a", "b"]\n', list(["m"], "n"))).toBe('m = ["n", "a", "b"]\n');
  expect(edited('m = [\n  "a", # first\n  "b",\n]\n', list(["m"], "n"))).toBe(
    'm = [\n  "n",\n  "a", # first\n  "b",\n]\n',
  );
  expect(edited("m = []\n", list(["m"], "n"))).toBe('m = ["n"]\n');
});

test("an item is taken out of a list, and the others stay", () => {
  const edits = [list(["m"], "n")];
  const back = (text: string, before: string) => revertChange(text, { format: "toml", edits }, before);
  expect(back('m = [\n  "n",\n  "a", # first\n]\n', 'm = ["a"]\n')).toBe('m = [\n  "a", # first\n]\n');
  expect(back('m = ["a", "n"]\n', "")).toBe('m = ["a"]\n');
  expect(back('x = 1\nm = ["n"]\n', "x = 1\n")).toBe("x = 1\n");
});

test("what would need more than one edit is refused and not guessed", () => {
  expect(() => edited("a = 1\n", set(["a", "k"], "v"))).toThrow("a is not a table there");
  expect(() => edited("[[a]]\nx = 1\n", set(["a", "k"], "v"))).toThrow(/a is not a table there/);
  expect(() => edited("m = 'x'\n", list(["m"], "n"))).toThrow("m is not a list there");
});

test("what is no TOML is told with its line", () => {
  expect(() => edited("[a]\nk = \n", set(["a", "x"], 1))).toThrow("it is not TOML: line 3");
  expect(() => edited("[a]\n[a]\n", set(["a", "x"], 1))).toThrow(/it is not TOML: line 2/);
});
