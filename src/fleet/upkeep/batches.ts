/** Owns the grouping of a long list for questions that take many of its items at once. */

/** Few enough for one statement or request, and enough that a large bucket does not take a hundred thousand of them. */
export const BATCH = 500;

/** `items` in their order, in groups of at most BATCH. Reads no further ahead than one group. */
export async function* inBatches<T>(items: AsyncIterable<T>): AsyncGenerator<readonly T[], void, undefined> {
  let batch: T[] = [];
  for await (const item of items) {
    batch.push(item);
    if (batch.length < BATCH) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}
