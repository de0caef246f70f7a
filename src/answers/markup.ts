/**
 * What markup means: HTML's entities and powers, Markdown's struck-out text, LaTeX's signs and font commands, as the plain
 * characters that they are shown as. Everything here is linear in the text.
 */

/** The text without its markup; unknown commands and entities stay as they are. */
export function withoutMarkup(text: string): string {
  let result = text;
  if (result.includes("&")) result = result.replace(ENTITY, decoded);
  if (result.includes("~~")) result = result.replace(/~~[^~\n]{1,200}~~/g, " ");
  if (result.includes("<")) {
    result = result
      .replace(/<sup>([^<>]{1,8})<\/sup>/gi, "^{$1}")
      .replace(/<sub>([^<>]{1,8})<\/sub>/gi, "$1")
      .replace(/<\/?(?:b|i|u|em|strong|br|p|span)\s?\/?>/gi, " ");
  }
  if (result.includes("\\")) result = withoutLatex(result);
  if (result.includes("^")) result = result.replace(/(?<=\p{L})\^[({]?(\d{1,2}[+-]?|[+-])(?!\d)[)}]?/gu, "$1");
  if (result.includes("_"))
    result = result.replace(/(?<=[\p{L})])_(?:\{(\w{1,4})\}|(?<=\b\p{Lu}\p{Ll}?_)(\d{1,2})(?![\d_]))/gu, "$1$2");
  return result;
}

function withoutLatex(text: string): string {
  let result = text.replace(
    /\\[dt]?frac\s?(?:\{(\d+)\}\s?\{(\d+)\}|(\d)(\d)(?!\d))/g,
    (_, a, b, c, d) => `${a ?? c}/${b ?? d}`,
  );
  for (let depth = 0; depth < 3; depth++) {
    result = result.replace(/\\(?:text(?:bf|it|rm|sf)?|math(?:rm|bf|it|sf)|mbox|operatorname)\s?\{([^{}\\]*)\}/g, "$1");
  }
  return result
    .replace(/\\([a-zA-Z]+)(?![a-zA-Z])/g, (command, name: string) => LATEX[name] ?? command)
    .replace(/\^\{?°\}?/g, "°")
    .replace(/\\[,;:! ]/g, " ")
    .replace(/\\([%<>&$#_{}])/g, "$1");
}

const LATEX: Readonly<Record<string, string>> = {
  ...{ times: "×", cdot: "×", pm: "±", circ: "°", degree: "°", mu: "μ", neq: "≠", ne: "≠", lt: "<", gt: ">" },
  ...{ le: "≤", leq: "≤", leqslant: "≤", ge: "≥", geq: "≥", geqslant: "≥", neg: " not ", lnot: " not ", quad: " " },
};

const ENTITY = /&(?:#(\d{1,6})|#x([\da-f]{1,5})|([a-z]{2,7}));/gi;

const ENTITIES: Readonly<Record<string, string>> = {
  ...{
    lt: "<",
    gt: ">",
    le: "≤",
    ge: "≥",
    ne: "≠",
    amp: "&",
    quot: '"',
    apos: "'",
    nbsp: " ",
    minus: "-",
    plusmn: "±",
  },
  ...{ times: "×", middot: "·", deg: "°", micro: "μ", ndash: "–", mdash: "—", rsquo: "'", lsquo: "'", frac12: "½" },
  ...{ alpha: "α", beta: "β", gamma: "γ", delta: "δ", mu: "μ" },
};

function decoded(entity: string, decimal?: string, hexadecimal?: string, name?: string): string {
  if (name !== undefined) return ENTITIES[name] ?? entity;
  const code = decimal === undefined ? Number.parseInt(hexadecimal!, 16) : Number(decimal);
  return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : entity;
}
