/**
 * Owns one connection over which events and snapshots come (server-sent events), until it ends. Not by EventSource: that tries again every few
 * seconds for ever, writes each failure to the console, and says neither the status nor the sentence of an answer.
 */
import { ApiError, answerTo } from "./api.js";

/** A snapshot comes each second: a connection that is silent for so long is dead, or something on the way keeps all back. */
const SILENT_MS = 10_000;

/**
 * Resolves when the stream ends or `signal` ends it; throws ApiError when it cannot be had, or falls silent.
 * @param {number | undefined} after the id of the last event that was seen
 * @param {(name: string, data: any) => void} hear
 * @param {AbortSignal} signal
 */
export async function follow(after, hear, signal) {
  const silence = new AbortController();
  let timer = setTimeout(() => silence.abort(), SILENT_MS);
  const end = () => silence.abort();
  signal.addEventListener("abort", end);
  try {
    await read(after, silence.signal, (name, data) => {
      clearTimeout(timer);
      timer = setTimeout(end, SILENT_MS);
      hear(name, data);
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}

/**
 * @param {number | undefined} after
 * @param {AbortSignal} signal
 * @param {(name: string, data: any) => void} hear
 */
async function read(after, signal, hear) {
  const query = after === undefined ? "" : `?lastEventId=${after}`;
  const answer = await answerTo(`/api/v1/events${query}`, {
    signal,
    cache: "no-store",
    headers: { Accept: "text/event-stream" },
  });
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const part = await reader?.read().catch(broken);
    if (part === undefined || part.done) return;
    const blocks = `${rest}${part.value}`.split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) hearBlock(block, hear);
  }
}

/** @returns {never} */
function broken() {
  throw new ApiError("unreachable", "Granary does not answer.");
}

/**
 * Granary writes each block's data on one line.
 * @param {string} block
 * @param {(name: string, data: any) => void} hear
 */
function hearBlock(block, hear) {
  const [, name] = /^event: (.*)$/m.exec(block) ?? [];
  const [, data] = /^data: (.*)$/m.exec(block) ?? [];
  if (name !== undefined && data !== undefined) hear(name, JSON.parse(data));
}
