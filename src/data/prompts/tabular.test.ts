import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Example } from "../../core/records.ts";
import { tableSchema, withTable } from "./tabular.ts";

const file = new URL("../../../recipes/tables/phantom-patients.yaml", import.meta.url);
const groups = tableSchema.parse(parse(readFileSync(file, "utf8")));
const example: Example = {
  ...{ id: "p1", subjectId: "p1", question: "Will the patient deteriorate?", images: [], answer: "yes" },
  ...{ answerType: "closed", choices: [], meta: {} },
  facts: { table: { age: 61, sex: "female", crp: 40, ldh: 250, hemoglobin: 121 } },
};

describe("a table in a prompt", () => {
  it("is a list of groups with units, reference ranges and the telling columns", () => {
    expect(withTable(example, groups, ["ldh", "age"]).question).toBe(
      [
        ...["Patient:", "- age: 61 years", "- sex: female"],
        ...["Inflammation and turnover (rise or fall with disease):", "- CRP: 40 mg/L (reference 0-5)"],
        ...["- LDH: 250 U/L (reference 135-225)", "Blood and nutrition:"],
        ...["- hemoglobin: 121 g/L (reference 120-170)", "Most telling in other patients: LDH, age."],
        "Will the patient deteriorate?",
      ].join("\n"),
    );
  });

  it("is prose, or a turn of numbers for each group before the question", () => {
    const prose = withTable(example, { ...groups, style: "narrative", allow_unsure: true }, []).question;
    expect(prose).toBe(
      'Patient: age is 61 years; sex is female. Inflammation and turnover (rise or fall with disease): CRP is 40 mg/L, usually 0-5; LDH is 250 U/L, usually 135-225. Blood and nutrition: hemoglobin is 121 g/L, usually 120-170. Will the patient deteriorate? If you cannot tell, answer "I do not know".',
    );
    const { before, question } = withTable(example, { ...groups, style: "numeric_conversational" }, []);
    expect(question).toBe(example.question);
    expect(before).toEqual([
      "Patient: age 61 years, sex female",
      "Inflammation and turnover (rise or fall with disease): CRP 40 mg/L, LDH 250 U/L",
      "Blood and nutrition: hemoglobin 121 g/L",
    ]);
  });

  it("is missed by name", () => {
    const { facts: _, ...bare } = example;
    expect(() => withTable(bare, groups, [])).toThrow('example "p1" has no table (facts.table) to tell');
  });
});
