/** Finds what JSON.parse hides: a key that an object holds twice, where the last one silently wins, and digits that no number keeps. */

/** The first key given twice in one object of a text that JSON.parse accepts, at any depth; null when there is none. */
export function repeatedKey(json: string): string | null {
  return find(json, { onKey: (key, isRepeated) => (isRepeated ? key : null) });
}

/** The first number beyond ±(2^53 - 1) in a text that JSON.parse accepts: its digits would be rounded. Null when there is none. */
export function roundedNumber(json: string): string | null {
  return find(json, { onNumber: (text) => (Math.abs(Number(text)) > Number.MAX_SAFE_INTEGER ? text : null) });
}

interface Visitor {
  onKey?(key: string, isRepeated: boolean): string | null;
  onNumber?(text: string): string | null;
}

/** Walks over a text once; what the visitor gives first is the answer. */
function find(json: string, { onKey, onNumber }: Visitor): string | null {
  const open: (Set<string> | null)[] = []; // one entry per open bracket: the keys so far of an object, null for an array
  const number = /-?\d[\d.eE+-]*/y;
  for (let i = 0; i < json.length; i++) {
    const character = json[i]!;
    if (character === "{") open.push(new Set());
    else if (character === "[") open.push(null);
    else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const start = i;
      for (i++; json[i] !== '"'; i++) if (json[i] === "\\") i++;
      const keys = open.at(-1);
      if (onKey === undefined || !keys || !isFollowedByColon(json, i + 1)) continue;
      const key = JSON.parse(json.slice(start, i + 1)) as string;
      const found = onKey(key, keys.has(key));
      if (found !== null) return found;
      keys.add(key);
    } else if (onNumber !== undefined && (character === "-" || (character >= "0" && character <= "9"))) {
      number.lastIndex = i;
      const [text] = number.exec(json)!;
      const found = onNumber(text);
      if (found !== null) return found;
      i += text.length - 1;
    }
  }
  return null;
}

function isFollowedByColon(json: string, from: number): boolean {
  let i = from;
  while (/\s/.test(json[i] ?? "")) i++;
  return json[i] === ":";
}
