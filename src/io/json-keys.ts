/** Finds what JSON.parse hides: a key that an object holds twice, where the last one silently wins. */

/** The first key given twice in one object of a text that JSON.parse accepts, at any depth; null when there is none. */
export function repeatedKey(json: string): string | null {
  const open: (Set<string> | null)[] = []; // one entry per open bracket: the keys so far of an object, null for an array
  for (let i = 0; i < json.length; i++) {
    const character = json[i];
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(null);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++;
      const keys = open.at(-1);
      if (!keys || !isFollowedByColon(json, i + 1)) continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}

function isFollowedByColon(json: string, from: number): boolean {
  let i = from;
  while (/\s/.test(json[i] ?? "")) i++;
  return json[i] === ":";
}
