/**
 * Owns the bodies of registry errors, in both directions: the one JSON form that we answer with (distribution-spec, "Error Codes"), and the
 * many forms that registries, their front ends and CDNs send, read into words that may be shown to a client, on a terminal or in a log. What
 * others wrote is shortened, and loses whatever could steer a terminal or looks like a secret. Which failure has which code is not decided
 * here. Pure.
 */
import { asObject, type JsonObject, textOf } from "./json-value.ts";

/** The codes of the specification, and two of the Docker registry that clients know for 5xx answers. */
export type OciErrorCode =
  | "BLOB_UNKNOWN"
  | "DENIED"
  | "DIGEST_INVALID"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "TOOMANYREQUESTS"
  | "UNAUTHORIZED"
  | "UNAVAILABLE"
  | "UNKNOWN"
  | "UNSUPPORTED";

/** JSON text `{"errors":[{"code","message"}]}`. */
export function formatErrorBody(code: OciErrorCode, message: string): string {
  return JSON.stringify({ errors: [{ code, message }] });
}

/** The same for several errors, whose codes may be ones that only that registry uses. */
export function formatErrorBodies(
  errors: readonly { readonly code: string; readonly message: string }[],
): string {
  return JSON.stringify({ errors: errors.map(({ code, message }) => ({ code, message })) });
}

/** One error in a registry's own words. */
export type ToldError = {
  /** In the form of the distribution-spec, such as "DENIED"; undefined where the registry gave none in that form. */
  readonly code: string | undefined;
  readonly message: string;
};

/** Errors that are read from one body: registries send one to three. */
const MOST = 5;
/** Characters of one sentence: more than anybody reads. */
const LONGEST = 1_000;

const CODE = /^[A-Z][A-Z0-9_]{0,63}$/;

/** The errors that a body tells; none for HTML, for bytes that are not text, and for an empty body. */
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

/** One clause for a sentence, without a full stop; undefined when nothing was told. */
export function joinWords(told: readonly ToldError[] | undefined): string | undefined {
  if (told === undefined || told.length === 0) return undefined;
  const clauses = told.map(({ message }) => message.replace(/[.\s]+$/, ""));
  return shortened([...new Set(clauses)].join("; "), LONGEST);
}

type Raw = { readonly code?: string | undefined; readonly message: string };

/** The XML of S3 and similar stores. Any other markup is a web page, which says nothing. */
function fromXml(text: string): Raw[] {
  const message = /<Message>([^<]+)<\/Message>/.exec(text)?.[1];
  return message === undefined ? [] : [{ message }];
}

/** undefined when the text is not JSON; an empty list for JSON in which no known field tells an error. */
function fromJson(text: string): Raw[] | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "string") return [{ message: parsed }];
    return fromDocument(asObject(parsed) ?? {});
  } catch {
    return /^[{["]/.test(text) ? [] : undefined; // JSON that was cut off is not shown as a sentence; any other text is.
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
  const detail = textOf(fields?.detail);
  const message = textOf(fields?.message) ?? (detail === undefined ? textOf(fields?.title) : undefined);
  if (message === undefined && detail === undefined)
    return code === undefined ? [] : [{ code, message: code }];
  return [{ code, message: withDetail(message, detail) }];
}

/**
 * distribution-spec, "Error Codes": `detail` may be anything. A text often has the reason, where the message only names the code. Objects
 * and lists are data for programs, such as the scope that was asked for.
 */
function withDetail(message: string | undefined, detail: string | undefined): string {
  if (message === undefined || detail === undefined) return message ?? detail ?? "";
  return message.includes(detail) ? message : `${message.replace(/[.:\s]+$/, "")}: ${detail}`;
}

/** Whole escape sequences of terminals, with their parameters. */
const ESCAPES = new RegExp(
  [
    "(?:\\u001b\\[|\\u009b)[0-?]*[ -/]*[@-~]",
    "\\u001b[\\]PX^_][^\\u0007\\u001b]*(?:\\u0007|\\u001b\\\\)?",
    "\\u001b[ -/]*[0-~]",
  ].join("|"),
  "g",
);
/** Control characters, and marks that are invisible or change the direction of a text. */
const INVISIBLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\ufffd]+/gu;

/** `text` as one line that may be shown. */
export function plainWords(text: string): string {
  const line = text
    .slice(0, 16 * LONGEST)
    .replace(ESCAPES, " ")
    .replace(INVISIBLE, " ");
  return shortened(withoutSecrets(line).replace(/\s+/g, " ").trim(), LONGEST);
}

/** Front ends quote the request in their errors, and a signed URL is as good as a login. */
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
