import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { readJson } from "../io/files.ts";
import { parseVocabulary } from "./concepts/vocabulary.ts";
import { followsFrom } from "./conclusion.ts";

const file = fileURLToPath(new URL("../../assets/vocabulary.json", import.meta.url));
const vocabulary = parseVocabulary(readJson(file, "vocabulary"), file);
type Row = readonly [question: string, rationale: string, answer: string, follows: boolean | null];

/** Judged by hand: does the rationale, read to its end, lead to the answer? Null: it does not say. */
const closed: readonly Row[] = [
  ["Is there a nodule?", "There is a nodule in the left lung.", "yes", true],
  ["Is there a nodule?", "There is a nodule in the left lung.", "no", false],
  ["Is there a nodule?", "The lungs are clear. There is no nodule.", "no", true],
  ["Is there a nodule?", "The lungs are clear. There is no nodule.", "yes", false],
  ["Is there a nodule?", "There is no midline shift. There is a nodule.", "yes", true],
  ["Is there a nodule?", "There is a nodule. There is no pleural effusion.", "yes", true],
  ["Is there a nodule?", "There may be a nodule. No, there is no nodule.", "no", true],
  ["Is there a nodule?", "There is no nodule. Looking again, there is a nodule.", "yes", true],
  ["Is there a nodule?", "This is a frontal radiograph of the chest.", "yes", null],
  ["Is there a nodule?", "A nodule is possible.", "yes", null],
  ["Is there a pleural effusion?", "The answer is no.", "no", true],
  ["Is there a pleural effusion?", "There is a pleural effusion. So the answer is no.", "yes", false],
  ["Is there a pleural effusion?", "The film is dark. So yes.", "yes", true],
  ["Is there a pleural effusion?", "Yes.", "no", false],
  ["Is the nodule in the left lung?", "There is a nodule in the left lung.", "yes", true],
  ["Is the nodule in the left lung?", "There is a nodule in the right lung.", "no", true],
  ["Is the nodule in the left lung?", "There is a nodule in the right lung.", "yes", false],
  ["Is the nodule in the left lung?", "There is a nodule.", "yes", null],
  ["Is the nodule in the left lung?", "There is no nodule.", "no", true],
  ["Is this a CT?", "This is an axial CT of the chest.", "yes", true],
  ["Is this a CT?", "This is a frontal radiograph of the chest.", "no", true],
  ["Is this a CT?", "This is a frontal radiograph of the chest.", "yes", false],
  ["Is there cardiomegaly?", "The heart is enlarged.", "yes", true],
  ["Is there cardiomegaly?", "The heart is not enlarged.", "yes", false],
];
const open: readonly Row[] = [
  ["Which side shows the nodule?", "The left lung shows a nodule in its upper zone.", "left", true],
  ["Which side shows the nodule?", "The left lung shows a nodule in its upper zone.", "right", false],
  [
    "Which side shows the nodule?",
    "There is a nodule in the left lung. There is a right pleural effusion.",
    "left",
    true,
  ],
  ["Which side shows the nodule?", "This is an axial CT of the chest.", "left", null],
  ["Which side has the larger nodule?", "The nodule on the left is larger than the nodule on the right.", "left", true],
  [
    "Which side has the larger nodule?",
    "The nodule on the left is larger than the nodule on the right.",
    "right",
    false,
  ],
  ["How many nodules are there?", "There are two nodules.", "2", true],
  ["How many nodules are there?", "There are two nodules.", "three", false],
  ["How many nodules are there?", "The lungs show nodules.", "two", null],
  ["What abnormality does this show?", "The lungs are clear. There is a pleural effusion.", "pleural effusion", true],
  ["What abnormality does this show?", "There is a pneumothorax.", "pleural effusion", false],
  ["What abnormality does this show?", "There is no pleural effusion.", "pleural effusion", null],
  ["Which imaging modality was used?", "This is an axial CT of the chest.", "CT", true],
  ["Which imaging modality was used?", "This is an axial CT of the chest.", "MRI", false],
  ["In which plane is this image?", "This is an axial CT of the chest.", "axial", true],
  ["In which plane is this image?", "This is an axial CT of the chest.", "coronal", false],
  ["What colour is it?", "The organ looks grey.", "grey", true],
  ["What colour is it?", "The organ looks grey.", "blue", null],
  ["What is it for?", "The answer is: breathing.", "breathing", true],
  ["What is it for?", "The answer is: breathing.", "digestion", false],
];
const options = ["nodule", "pleural effusion", "no abnormality", "pneumothorax"];
const choice: readonly Row[] = [
  ["What is it?", "There is a nodule.", "A. nodule", true],
  ["What is it?", "There is a nodule.", "B", false],
  ["What is it?", "There is a nodule. There is no pleural effusion.", "A", true],
  ["What is it?", "The lungs are clear: no abnormality.", "C", true],
  ["What is it?", "It could be a nodule or a pneumothorax.", "A", null],
  ["What is it?", "So the answer is D.", "D", true],
  ["What is it?", "So the answer is D.", "pneumothorax", true],
  ["What is it?", "So the answer is D.", "A", false],
  ["What is it?", "The film is dark.", "A", null],
];

const follows = (answerType: "closed" | "open" | "choice", [question, rationale, answer]: Row) => {
  const reference = { closed: "yes", open: "liver", choice: "nodule" }[answerType];
  const choices = answerType === "choice" ? options : [];
  return followsFrom({ question, answer: reference, answerType, choices }, rationale, answer, vocabulary);
};

describe("followsFrom, against judgements by hand", () => {
  test.each(closed)("%s | %s | %s: %s", (...row) => expect(follows("closed", row)).toBe(row[3]));
  test.each(open)("%s | %s | %s: %s", (...row) => expect(follows("open", row)).toBe(row[3]));
  test.each(choice)("%s | %s | %s: %s", (...row) => expect(follows("choice", row)).toBe(row[3]));
});

test("an answer that cannot be read follows from nothing", () => {
  expect(follows("closed", ["Is there a nodule?", "There is a nodule.", "perhaps", null])).toBeNull();
});
