/** Owns turning an async iterable into an array, for assertions (Array.fromAsync is not in the compiler's ES2024 library). */

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = [];
  for await (const item of items) collected.push(item);
  return collected;
}
