/**
 * Finds stop strings in text that comes in pieces: what could be the beginning of one is held until that is known. The one
 * that is complete first counts, however the text is cut.
 */

export interface StopScan {
  /** The text that may be given, and whether a stop string followed it. Nothing may be pushed after a stop. */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** What was held, once no text follows. */
  end(): string;
}

export function openStopScan(stops: readonly string[]): StopScan {
  let held = "";
  return {
    push(text) {
      held += text;
      const at = firstStop(held, stops);
      if (at !== null) {
        const before = held.slice(0, at);
        held = "";
        return { text: before, stopped: true };
      }
      const keep = Math.max(0, ...stops.map((stop) => overlap(held, stop)));
      const free = held.slice(0, held.length - keep);
      held = held.slice(free.length);
      return { text: free, stopped: false };
    },
    end() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** Where the stop string begins that ends first, of several the longest; null where there is none. */
function firstStop(text: string, stops: readonly string[]): number | null {
  const found = stops.flatMap((stop) => {
    const start = text.indexOf(stop);
    return start < 0 ? [] : [{ start, end: start + stop.length }];
  });
  found.sort((a, b) => a.end - b.end || a.start - b.start);
  return found[0]?.start ?? null;
}

/** Length of the longest end of the text that a stop string begins with. */
export function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) {
    if (stop.startsWith(text.slice(text.length - length))) return length;
  }
  return 0;
}
