/** Fields of a row that were meant for known ones: a misspelt name would be passed over in silence. */
import { UserError } from "../core/errors.ts";
import { editDistance } from "../core/suggest.ts";

/** What other tools call the fields of a row, without case, dashes, underscores and a plural's s. */
const otherNames: Readonly<Record<string, readonly string[]>> = {
  id: ["qid", "questionid", "exampleid", "uid"],
  image: [
    "img",
    "imagepath",
    "imagefile",
    "imagename",
    "imgpath",
    "imgname",
    "picture",
    "figurepath",
    "imageid",
    "imageurl",
    "filename",
    "filepath",
  ],
  question: ["query", "prompt", "problem", "instruction", "questiontext", "text"],
  answer: [
    "anwser",
    "label",
    "solution",
    "target",
    "groundtruth",
    "gtanswer",
    "reference",
    "gt",
    "correctanswer",
    "correctoption",
    "answertext",
  ],
  answer_type: ["qtype"],
  choices: [
    "option",
    "candidate",
    "alternative",
    "answerchoice",
    "answeroption",
    "optionlist",
    "choicelist",
    "mcoption",
    "multiplechoice",
  ],
  rationale: ["reasoning", "explanation", "cot", "thought", "thinking", "chainofthought"],
  subject: ["subjectid", "patient", "patientid", "pid", "patientnumber", "patientname", "mrn"],
  meta: ["metadata"],
  completion: ["response", "output", "generation"],
  prediction: ["response", "output", "generation", "completion", "pred"],
  example_id: ["id", "qid", "questionid"],
};

/** Of these a row has one or the other. */
const eitherOf: Readonly<Record<string, string>> = {
  image: "images",
  images: "image",
  question: "messages",
  messages: "question",
};

/**
 * Throws UserError for a field that is none of the known ones but looks like one that the row lacks ("options" for
 * "choices"), or that is a known one in another spelling ("Answer" beside "answer").
 */
export function requireKnownFields(row: unknown, known: readonly string[], where: string): void {
  if (typeof row !== "object" || row === null) return;
  const present = Object.entries(row).flatMap(([name, value]) => (value == null ? [] : [name]));
  const found = misspelt(present, known);
  if (found === null) return;
  throw new UserError(
    `${where}: the field "${found.name}" is not read: did you mean "${found.meant}"? Rename it, or move it into "meta" where it is something else`,
  );
}

/** What other tools call a chat; `viva data import` reads them. */
const otherChats = ["conversations", "conversation", "dialog", "dialogue"];

/** Throws UserError for a row whose question is a chat in another tool's form, or in a text. */
export function requireNoOtherChat(row: unknown, where: string): void {
  const { question = null, messages = null, ...rest } = (row ?? {}) as Readonly<Record<string, unknown>>;
  if (question !== null) return;
  const other = otherChats.find((name) => rest[name] != null);
  const wrong = messages === null ? other : Array.isArray(messages) ? undefined : "messages";
  if (wrong === undefined) return;
  throw new UserError(
    `${where}: ${wrong}: expected a list of messages {"role", "content"}, as "messages"; \`viva data import\` reads chats of other tools`,
  );
}

/** The same for the columns of a table. */
export function requireKnownColumns(present: readonly string[], known: readonly string[], where: string): void {
  const found = misspelt(present, known);
  if (found === null) return;
  throw new UserError(`${where}: the column "${found.name}" is not read: did you mean "${found.meant}"? Rename it`);
}

/** The columns that hold an option each, by their letters ("A", "option_b", "Choice C", "opd", "option5"); null where there are not two. */
export function optionColumns(names: readonly string[]): ReadonlyMap<string, string> | null {
  const found = names.flatMap((name) => {
    const [, letter, number] =
      /^(?:(?:options?|choices?|op)?[-_\s]*([A-Za-z])|(?:options?|choices?)[-_\s]*(\d{1,2}))$/i.exec(name) ?? [];
    const label =
      letter?.toUpperCase() ??
      (number === undefined || number === "0" ? number : String.fromCharCode(64 + Number(number)));
    return label === undefined ? [] : [[label, name] as const];
  });
  const columns = new Map(found);
  return columns.size === found.length && columns.size >= 2 && (columns.has("A") || columns.has("B")) ? columns : null;
}

function misspelt(present: readonly string[], known: readonly string[]) {
  const options = optionColumns(present.filter((each) => !known.includes(each)));
  if (options !== null && known.includes("choices") && !present.includes("choices")) {
    return { name: [...options.values()][0]!, meant: "choices" };
  }
  const lacks = (field: string) => !present.includes(field) && !present.includes(eitherOf[field] ?? field);
  for (const name of present.filter((each) => !known.includes(each))) {
    const spelling = known.find((field) => field.toLowerCase() === name.toLowerCase());
    const meant = spelling ?? known.find((field) => lacks(field) && looksLike(name, field));
    if (meant !== undefined) return { name, meant };
  }
  return null;
}

/** Whether a column's name is one that other tools give a field. */
export function otherNameOf(field: string, name: string): boolean {
  return plain(name) === plain(field) || (otherNames[field]?.includes(plain(name)) ?? false);
}

function looksLike(name: string, field: string): boolean {
  const [given, meant] = [plain(name), plain(field)];
  if (otherNameOf(field, name)) return true;
  return Math.min(given.length, meant.length) >= 5 && editDistance(given, meant) <= 1;
}

const plain = (name: string) =>
  name
    .toLowerCase()
    .replace(/[-_\s]/g, "")
    .replace(/s$/, "");
