/**
 * The similarity of two texts as Python's difflib computes it (Ratcliff and Obershelp: twice the matched signs over all
 * signs), with its rule that signs which make up more than one per cent of a second text of 200 or more start no match.
 */
export function similarity(first: string, second: string): number {
  const a = Array.from(first);
  const b = Array.from(second);
  if (a.length + b.length === 0) return 1;
  const places = placesOf(b);
  const open: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  let matched = 0;
  for (let range = open.pop(); range !== undefined; range = open.pop()) {
    const [aFrom, aTo, bFrom, bTo] = range;
    const { i, j, size } = longestMatch(a, b, places, range);
    if (size === 0) continue;
    matched += size;
    if (aFrom < i && bFrom < j) open.push([aFrom, i, bFrom, j]);
    if (i + size < aTo && j + size < bTo) open.push([i + size, aTo, j + size, bTo]);
  }
  return (2 * matched) / (a.length + b.length);
}

/** The index of the candidate most like the text, the first of equals; 0 when nothing is alike. */
export function mostSimilar(candidates: readonly string[], text: string): number {
  let best = 0;
  let highest = 0;
  for (const [index, candidate] of candidates.entries()) {
    const value = similarity(candidate, text);
    if (value <= highest) continue;
    highest = value;
    best = index;
  }
  return best;
}

function placesOf(b: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [j, sign] of b.entries()) {
    const found = places.get(sign);
    if (found === undefined) places.set(sign, [j]);
    else found.push(j);
  }
  if (b.length < 200) return places;
  const most = Math.floor(b.length / 100) + 1;
  return new Map([...places].filter(([, found]) => found.length <= most));
}

/** The longest common run within the ranges, the one that begins first in `a`, then in `b`, then grown at both ends. */
function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  [aFrom, aTo, bFrom, bTo]: readonly [number, number, number, number],
) {
  let best = { i: aFrom, j: bFrom, size: 0 };
  let lengths = new Map<number, number>();
  for (let i = aFrom; i < aTo; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i]!) ?? []) {
      if (j < bFrom) continue;
      if (j >= bTo) break;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) best = { i: i - size + 1, j: j - size + 1, size };
    }
    lengths = next;
  }
  let { i, j, size } = best;
  while (i > aFrom && j > bFrom && a[i - 1] === b[j - 1]) {
    i--;
    j--;
    size++;
  }
  while (i + size < aTo && j + size < bTo && a[i + size] === b[j + size]) size++;
  return { i, j, size };
}
