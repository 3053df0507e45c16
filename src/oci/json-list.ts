/**
 * Owns finding a list inside a JSON object, such as `{"tags": [...]}`, while its bytes arrive: the offsets of the list and of each item. It
 * checks the syntax of the whole document but makes no values of it, so that a list that is only passed on needs no more memory than its bytes.
 */

type ListBounds = {
  /** How deep lists and objects may nest. */
  readonly depth: number;
  readonly items: number;
};

export type ListAsk = {
  /** The name of the list in the object. */
  readonly list: string;
  /** The name of another member whose offsets are wanted too. */
  readonly beside?: string;
  readonly bounds: ListBounds;
  /**
   * Called for each item with the offsets of its first byte and after its last. If the list appears twice, the last one counts, although
   * the items of the first were passed to this too.
   */
  readonly onItem?: (start: number, end: number) => void;
};

export type Span = { readonly start: number; readonly end: number };

export type FoundList = {
  /** Where the document begins: behind a byte order mark, if there is one. */
  readonly start: number;
  /** Between the brackets of the list; undefined for `null`, which some registries send for an empty list. */
  readonly inside: Span | undefined;
  readonly count: number;
  readonly beside: Span | undefined;
};

export type NoList = {
  /** What is wrong with the document: the end of a sentence. */
  readonly fault: string;
  /** The document is sound JSON, but has no such list. */
  readonly isOther: boolean;
};

const BOM = [0xef, 0xbb, 0xbf];
/** What may follow a backslash, besides `u`. */
const ESCAPED = [...Buffer.from('"\\/bfnrt')];
const MOST_WORD = 400;
const WORD = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)$/;

/** What may come next, outside of strings and words (numbers, true, false, null). */
type Expects = "value" | "value or end" | "name" | "name or end" | "colon" | "comma or end" | "nothing";

/** Give it the bytes in order with `push`, then call `end`. */
export class JsonListReader {
  readonly #ask: ListAsk;
  /** One entry for each open bracket: true for an object, false for a list. */
  readonly #open: boolean[] = [];
  #expects: Expects = "value";
  #at = 0;
  #start = 0;
  #fault: string | undefined;
  /** Whether a string is being read, and whether a backslash came just before. */
  #inText: "no" | "plain" | "escape" = "no";
  /** How many hexadecimal digits a `\\u` still needs. */
  #hexDigits = 0;
  #isName = false;
  #word: number[] | undefined;
  /** The bytes so far of a member name of the outermost object, with its quotes. */
  #name: number[] | undefined;
  #member: string | undefined;
  #valueStart = 0;
  #itemStart = 0;
  #found: "none" | "list" | "other" = "none";
  #inside: Span | undefined;
  #isInList = false;
  #count = 0;
  #beside: Span | undefined;

  constructor(ask: ListAsk) {
    this.#ask = ask;
  }

  /** False when the document is wrong whatever follows. */
  push(chunk: Uint8Array): boolean {
    for (let index = 0; index < chunk.length && this.#fault === undefined; index++) {
      if (this.#inText === "plain" && this.#name === undefined) {
        const end = endOfPlain(chunk, index);
        this.#at += end - index;
        index = end;
        if (index === chunk.length) break;
      }
      const byte = chunk[index] ?? 0;
      if (this.#inText !== "no") this.#text(byte);
      else if (this.#at >= BOM.length || !this.#isMark(byte)) this.#structure(byte);
      this.#at += 1;
    }
    return this.#fault === undefined;
  }

  /** What was found, or why the document is not one with such a list. */
  end(): FoundList | NoList {
    if (this.#fault === undefined && (this.#expects !== "nothing" || this.#inText !== "no"))
      this.#fault = "ends in the middle";
    if (this.#fault !== undefined) return { fault: this.#fault, isOther: false };
    if (this.#found !== "list") return { fault: `has no list of ${this.#ask.list}`, isOther: true };
    return { start: this.#start, inside: this.#inside, count: this.#count, beside: this.#beside };
  }

  #isMark(byte: number): boolean {
    if (byte !== BOM[this.#at]) return false;
    this.#start = this.#at + 1;
    return true;
  }

  #text(byte: number): void {
    this.#name?.push(byte);
    if (this.#inText === "escape") this.#escape(byte);
    else if (byte === 0x5c) this.#inText = "escape";
    else if (byte === 0x22) this.#endText();
    else if (byte < 0x20) this.#fail();
  }

  #escape(byte: number): void {
    if (this.#hexDigits > 0) {
      if (!isHexDigit(byte)) this.#fail();
      this.#hexDigits -= 1;
    } else if (byte === 0x75) this.#hexDigits = 4;
    else if (!ESCAPED.includes(byte)) this.#fail();
    if (this.#hexDigits === 0) this.#inText = "plain";
  }

  #structure(byte: number) {
    if (this.#word !== undefined) {
      if (!isDelimiter(byte)) {
        if (this.#word.push(byte) > MOST_WORD) this.#fail();
        return;
      }
      this.#endWord(this.#word);
    }
    if (this.#fault !== undefined || isSpace(byte)) return;
    switch (byte) {
      case 0x22:
        return this.#beginText();
      case 0x7b:
      case 0x5b:
        return this.#beginNested(byte === 0x7b);
      case 0x7d:
      case 0x5d:
        return this.#endNested(byte === 0x7d);
      case 0x3a:
        return this.#take("colon", "value");
      case 0x2c:
        return this.#take("comma or end", this.#open.at(-1) === true ? "name" : "value");
      default:
        this.#beginValue();
        this.#word = [byte];
    }
  }

  #beginText() {
    this.#inText = "plain";
    this.#isName = this.#expects === "name" || this.#expects === "name or end";
    if (!this.#isName) return this.#beginValue();
    if (this.#open.length === 1) this.#name = [0x22];
  }

  #endText() {
    this.#inText = "no";
    if (!this.#isName) return this.#endValue(this.#at + 1);
    this.#expects = "colon";
    if (this.#name === undefined) return;
    this.#member = textOf(this.#name);
    this.#name = undefined;
    if (this.#member === undefined) this.#fail();
  }

  #endWord(word: readonly number[]) {
    this.#word = undefined;
    const text = String.fromCharCode(...word);
    if (!WORD.test(text)) return this.#fail();
    if (text === "null" && this.#open.length === 1 && this.#member === this.#ask.list) this.#noList();
    this.#endValue(this.#at);
  }

  #noList() {
    this.#found = "list";
    this.#inside = undefined;
    this.#count = 0;
  }

  #beginValue() {
    if (this.#expects !== "value" && this.#expects !== "value or end") return this.#fail();
    if (this.#open.length === 0) return this.#fail();
    if (this.#open.length === 1) {
      this.#valueStart = this.#at;
      if (this.#member === this.#ask.list) this.#found = "other";
    }
    if (this.#isInList && this.#open.length === 2) this.#itemStart = this.#at;
  }

  #endValue(end: number) {
    this.#expects = this.#open.length === 0 ? "nothing" : "comma or end";
    if (this.#open.length === 1 && this.#member === this.#ask.beside)
      this.#beside = { start: this.#valueStart, end };
    if (!this.#isInList || this.#open.length !== 2) return;
    this.#count += 1;
    if (this.#count > this.#ask.bounds.items)
      this.#fail(`has more than ${this.#ask.bounds.items} ${this.#ask.list}`);
    else this.#ask.onItem?.(this.#itemStart, end);
  }

  #beginNested(isObject: boolean) {
    const { depth } = this.#ask.bounds;
    const isOutermost = this.#open.length === 0;
    if (isOutermost && (this.#expects !== "value" || !isObject)) return this.#fail();
    if (!isOutermost) this.#beginValue();
    if (this.#open.length === 1 && this.#member === this.#ask.list && !isObject) {
      this.#noList();
      this.#isInList = true;
      this.#inside = { start: this.#at + 1, end: this.#at + 1 };
    }
    if (this.#open.push(isObject) > depth) return this.#fail(`nests deeper than ${depth} levels`);
    this.#expects = isObject ? "name or end" : "value or end";
  }

  #endNested(isObject: boolean) {
    const isEmpty = this.#expects === (isObject ? "name or end" : "value or end");
    if (this.#open.at(-1) !== isObject || (this.#expects !== "comma or end" && !isEmpty)) return this.#fail();
    this.#open.pop();
    if (this.#isInList && this.#open.length === 1 && this.#inside !== undefined) {
      this.#isInList = false;
      this.#inside = { start: this.#inside.start, end: this.#at };
    }
    this.#endValue(this.#at + 1);
  }

  #take(expected: Expects, next: Expects) {
    if (this.#expects !== expected || this.#open.length === 0) return this.#fail();
    this.#expects = next;
  }

  #fail(fault = `is not JSON at byte ${this.#at}`): void {
    this.#fault ??= fault;
  }
}

/** The index of the next byte with a meaning inside a string, from `index` on. Skipping fast matters: most bytes of a list are in strings. */
function endOfPlain(chunk: Uint8Array, index: number): number {
  let at = index;
  for (; at < chunk.length; at++) {
    const byte = chunk[at] ?? 0;
    if (byte === 0x22 || byte === 0x5c || byte < 0x20) break;
  }
  return at;
}

/** The value of a JSON string; undefined if it is not one. */
function textOf(quoted: readonly number[]): string | undefined {
  if (quoted.length > MOST_WORD) return ""; // Too long to be a name that is looked for.
  try {
    return String(JSON.parse(Buffer.from(quoted).toString("utf8")));
  } catch {
    return undefined;
  }
}

function isHexDigit(byte: number): boolean {
  return (byte >= 0x30 && byte <= 0x39) || (byte >= 0x41 && byte <= 0x46) || (byte >= 0x61 && byte <= 0x66);
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isDelimiter(byte: number): boolean {
  return isSpace(byte) || byte === 0x2c || byte === 0x5d || byte === 0x7d || byte === 0x22 || byte === 0x3a;
}
