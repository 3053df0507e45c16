/**
 * Owns the reading of the error bodies that registries, their front ends and CDNs send, into words that may be shown: to a client, on a
 * terminal, in a log. Strangers wrote them: they are bounded, and lose whatever steers a terminal or looks like a secret. Pure.
 */
import { asObject, type JsonObject, textOf } from "./json-value.ts";

/** One error as a registry told it. */
export type ToldError = {
  /** Of the distribution-spec's kind, "DENIED"; undefined where the registry gave none that is legal. */
  readonly code: string | undefined;
  readonly message: string;
};

/** Registries name one to three; a sentence of 1,000 characters is more than anybody reads. */
const MOST = 5;
const LONGEST = 1_000;

const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** What `bytes` say; empty for HTML, for what is no text, and for nothing. */
export function readErrorWords(bytes: Uint8Array, contentType: string | undefined): readonly ToldError[] {
  const text = new TextDecoder().decode(bytes).trim();
  if (text === "" || /html/i.test(contentType ?? "")) return [];
  const told = text.startsWith("<") ? fromXml(text) : (fromJson(text) ?? [{ message: text }]);
  return told.slice(0, MOST).flatMap(({ code, message }) => {
    const words = plainWords(message);
    if (words === "") return [];
    return [{ code: code !== undefined && CODE.test(code) ? code : undefined, message: words }];
  });
}

/** One clause for a sentence, without a full stop; undefined for nothing. */
export function joinWords(told: readonly ToldError[] | undefined): string | undefined {
  if (told === undefined || told.length === 0) return undefined;
  const clauses = told.map(({ message }) => message.replace(/[.\s]+$/, ""));
  return shortened([...new Set(clauses)].join("; "), LONGEST);
}

type Raw = { readonly code?: string | undefined; readonly message: string };

/** S3 and its like; any other markup is a page. */
function fromXml(text: string): Raw[] {
  const message = /<Message>([^<]+)<\/Message>/.exec(text)?.[1];
  return message === undefined ? [] : [{ message }];
}

/** undefined for what is no JSON; a list of nothing for JSON that says nothing we know. */
function fromJson(text: string): Raw[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "string") return [{ message: parsed }];
    return fromDocument(asObject(parsed) ?? {});
  } catch {
    return /^[{["]/.test(text) ? [] : undefined; // Cut JSON is no sentence; any other text may be one.
  }
}

/** `{"errors":[…]}` (distribution-spec), `{"error":"…"}` (Hugging Face, OAuth2), `{"message":"…"}` and `{"detail":"…"}` of others. */
function fromDocument(document: JsonObject): Raw[] {
  const { errors } = document;
  const listed = Array.isArray(errors) ? errors.flatMap(fromItem) : fromItem(errors);
  if (listed.length > 0) return listed;
  const description = textOf(document.error_description);
  const error = fromItem(document.error).map(({ code, message }) => ({
    code,
    message: description === undefined ? message : `${message}: ${description}`,
  }));
  return error.length > 0 ? error : fromItem(document);
}

function fromItem(item: unknown): Raw[] {
  if (typeof item === "string") return [{ message: item }];
  const fields = asObject(item);
  const code = textOf(fields?.code);
  const message = textOf(fields?.message) ?? textOf(fields?.detail) ?? textOf(fields?.title) ?? code;
  return message === undefined ? [] : [{ code, message }];
}

/** Escape sequences, whole: what they would print is no word of the registry. */
const ESCAPES = new RegExp(
  [
    "(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]",
    "\\u001b[\\]PX^_][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?",
    "\\u001b[ -/]*[0-~]",
  ].join("|"),
  "g",
);
/** Controls, and the marks that turn the direction of a text or hide in it. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]+/gu;

/** `text` as one line that may be shown. */
export function plainWords(text: string): string {
  const line = text
    .slice(0, 16 * LONGEST)
    .replace(ESCAPES, " ")
    .replace(INVISIBLE, " ");
  return shortened(withoutSecrets(line).replace(/\s+/g, " ").trim(), LONGEST);
}

/** Front ends quote requests, and signed URLs are as good as a login. */
function withoutSecrets(text: string): string {
  return text
    .replace(/\b(https?:\/\/)[^\s/@"'<>]*@/gi, "$1")
    .replace(/\b(https?:\/\/[^\s?"'<>]+)\?[^\s"'<>]*/gi, "$1")
    .replace(/\b([Bb]earer|[Bb]asic)[\s:=]+(?=[a-z.~_-]*[A-Z0-9=+/])[\w.~+/=-]{6,}/g, "$1 …")
    .replace(/\beyJ[\w-]+\.[\w.-]+/g, "…")
    .replace(
      /\b(password|passwd|secret|token|signature|x-amz-[\w-]+)(["']?\s*[=:]\s*["']?)[^\s"'&,;]+/gi,
      "$1$2…",
    );
}

function shortened(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
