/** What one side adds as it happens, for another to read in its own time. */
export interface EventQueue<T> extends AsyncIterable<T> {
  push(event: T): void;
  /** Nothing more comes: readers end after what is there, or fail with the error. */
  end(error?: Error): void;
}

/** A queue for one reader. */
export function openEventQueue<T>(): EventQueue<T> {
  const waiting: T[] = [];
  let ended = false;
  let failure: Error | null = null;
  let wake = () => {};
  return {
    push(event) {
      waiting.push(event);
      wake();
    },
    end(error) {
      ended = true;
      failure ??= error ?? null;
      wake();
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        if (waiting.length > 0) yield waiting.shift()!;
        else if (ended) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      if (failure !== null) throw failure;
    },
  };
}
