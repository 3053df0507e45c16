/** Owns how long each thing that is asked of the store may take, further tries included, and which of its codes mean "not there". Plain values. */

export type Question = {
  /** Completes "Could not ...", without a key of an object. */
  readonly doing: string;
  /** For all tries together. */
  readonly withinMs: number;
  /** The store's codes that mean that what was asked for is not there. */
  readonly absent?: readonly string[];
};

const QUESTION_MS = 10_000;
const LIST_MS = 30_000;
/** Large stores take minutes to join the parts of a large object. */
const JOIN_MS = 300_000;
/** Bytes that go up may take this, and a second for each so many of them. */
const UPLOAD_MS = 30_000;
const SLOWEST_BYTES_PER_S = 2 ** 20;

const NO_UPLOAD = ["NoSuchUpload"];
/** A HEAD has no body that could say more than its status. */
const NO_OBJECT = ["NoSuchKey", "NotFound"];

export const QUESTIONS = {
  head: { doing: "look for an object in the fleet's bucket", withinMs: QUESTION_MS, absent: NO_OBJECT },
  begin: { doing: "begin an upload to the fleet's bucket", withinMs: QUESTION_MS },
  parts: {
    doing: "list the parts of an upload to the fleet's bucket",
    withinMs: QUESTION_MS,
    absent: NO_UPLOAD,
  },
  complete: { doing: "complete an upload to the fleet's bucket", withinMs: JOIN_MS, absent: NO_UPLOAD },
  abort: { doing: "abort an upload to the fleet's bucket", withinMs: QUESTION_MS, absent: NO_UPLOAD },
  remove: { doing: "delete objects from the fleet's bucket", withinMs: LIST_MS },
  list: { doing: "list the objects of the fleet's bucket", withinMs: LIST_MS },
  uploads: { doing: "list the uploads of the fleet's bucket", withinMs: LIST_MS },
} satisfies Record<string, Question>;

/** What sends `size` bytes: as a part, it may find that its upload is not there. */
export function uploadQuestion(doing: string, size: number): Question {
  const withinMs = UPLOAD_MS + Math.ceil((size / SLOWEST_BYTES_PER_S) * 1_000);
  return { doing, withinMs, absent: NO_UPLOAD };
}
