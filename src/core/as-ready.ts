/** Several pieces of work at a time, whose results are given as they come. */

/** Results of `work(0 … count - 1)`, at most `width` under way; the first failure ends it, once what runs has ended. */
export async function* asReady<T>(
  count: number,
  width: number,
  work: (index: number) => Promise<T>,
): AsyncGenerator<T> {
  const running = new Map<number, Promise<{ readonly index: number; readonly result: T }>>();
  try {
    for (let next = 0; next < count || running.size > 0; ) {
      while (running.size < width && next < count) {
        const index = next++;
        running.set(
          index,
          work(index).then((result) => ({ index, result })),
        );
      }
      const { index, result } = await Promise.race(running.values());
      running.delete(index);
      yield result;
    }
  } finally {
    await Promise.allSettled(running.values());
  }
}
