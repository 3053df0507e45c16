/** Shows what is taken of a Link to a next page: the registry's own query as it is, and nothing that leads elsewhere. */
import { describe, expect, it } from "vitest";
import { nextQuery } from "../../../src/upstream/registry/list-questions.ts";

const asked = new URL("https://reg.example/v2/x/tags/list?n=1");
const next = (header: string | readonly string[] | undefined) => nextQuery(header, asked, "/x/tags/list");

describe("the query of the next page", () => {
  it.each([
    ['</v2/x/tags/list?last=b&n=2>; rel="next"', "last=b&n=2"],
    ['</v2/x/tags/list?next_page=gAAAAABm-_%2F==&n=50>; rel="next"', "next_page=gAAAAABm-_%2F==&n=50"],
    ["<https://other.host:5000/v2/x/tags/list?last=b>; rel=next", "last=b"],
    ["<http://internal/base/v2/x/tags/list?last=b>; REL=Next", "last=b"],
    ["<?last=b>; rel=next", "last=b"],
    ["<list?last=b,c;d>;rel=next;title=x", "last=b,c;d"],
    ['</prev?a>; rel="prev", </v2/x/tags/list?n=1&last=a%2Cb>; rel="next"', "n=1&last=a%2Cb"],
    ['</a>; title="x, <y>; rel=next", </v2/x/tags/list?b>; rel="first next"', "b"],
    ['</v2/x/tags/list?b>; title="\\"; rel=next"; rel="next"', "b"],
    [["</a>; rel=prev", "</v2/x/tags/list?b>; rel=next"], "b"],
    ['</v2/x/tags/list?q="<>">; rel=next', undefined],
    ['</v2/x>; rel="prev"', undefined],
    ["</v2/x/tags/list?b>", undefined],
    ["</v2/x/tags/list?b>; rel=nextish", undefined],
    ["no link at all", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("of %j is %j", (header, expected) => expect(next(header)).toBe(expected));

  it("has nothing that could end the header that it is put into", () => {
    expect(next('</v2/x/tags/list?a b"c>; rel=next')).toBe("a%20b%22c");
  });

  it.each([
    ["at another path", "</v2/y/tags/list?last=b>; rel=next"],
    ["at another path", "</v2/x/tags/../../secret?last=b>; rel=next"],
    ["at another path", "<http://[>; rel=next"],
    ["where it was", "<?n=1>; rel=next"],
    ["4000 characters", `<?last=${"x".repeat(4_000)}>; rel=next`],
  ])("that goes on %s is an error: a list that ends too early would be a wrong one", (what, header) => {
    expect(() => next(header)).toThrow(what);
  });
});
