import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { dicomTable } from "../../scripts/dicom-table.ts";
import { compareDicomFiles, pydicom } from "./dicom-files.ts";
import { describeWithPython } from "./python.ts";

await describeWithPython("pydicom's test files", pydicom, ({ python }) => {
  it("are shown as pydicom shows them, within one grey, or refused in a sentence; docs/results/dicom.md says which", async () => {
    const { rows, without } = await compareDicomFiles(python);
    const shown = rows.filter(({ difference }) => difference !== null);
    expect(shown.filter(({ difference }) => difference! > 1)).toEqual([]);
    expect(shown.length).toBeGreaterThanOrEqual(95);
    for (const { name, refusal } of rows)
      if (refusal !== null) expect(refusal, name).toMatch(/^(?:is|has) [^\n]{10,200}$/);
    const page = readFileSync(new URL("../../docs/results/dicom.md", import.meta.url), "utf8");
    expect(page).toContain(dicomTable(rows, without));
  });
});
