/** The checkpoints of a run: size, whether they are whole, what they scored, and the commands that use them. Nothing is deleted here. */
import { useState } from "preact/hooks";
import { bestEvaluation } from "../../src/runs/best-evaluation.ts";
import type { CheckpointRow } from "../../src/ui/checkpoint-list.ts";
import { address, setValues } from "../address.ts";
import { bytes, intervalText } from "../format.ts";
import { Button, Select, Table } from "../parts/controls.tsx";
import { CopyButton, Loaded, To } from "../parts/ways.tsx";
import { isBundle, read } from "../source.ts";
import { type OfRun, useAnswer } from "../use-data.ts";

export function CheckpointsPage({ id, run }: OfRun) {
  const asked = useAnswer<readonly CheckpointRow[]>(["runs", id, "checkpoints"]);
  const by = address.value.values["by"] ?? "accuracy";
  const rowsBy = (asked.value ?? []).flatMap(({ step, figures }) =>
    figures[by] === undefined ? [] : [{ step, accuracy: figures[by].estimate }],
  );
  const best = bestEvaluation(rowsBy)?.step ?? null;
  const names = [...new Set((asked.value ?? []).flatMap(({ figures }) => Object.keys(figures)))];
  const cells = (row: CheckpointRow) => [
    <>
      {row.name} {row.step === best && <span class="badge good">best</span>}
    </>,
    row.kind,
    bytes(row.bytes),
    <Whole key={row.step} id={id} row={row} />,
    row.figures[by] === undefined ? "–" : `${intervalText({ ...row.figures[by], subjects: 0 })} n ${row.figures[by].n}`,
    <>
      {!isBundle && (
        <To path={["runs", id, "play"]} values={{ step: row.step }}>
          ask it
        </To>
      )}{" "}
      <CopyButton label="copy export command" text={() => `viva export ${run.folder}/checkpoints/${row.name} --out exported`} />
    </>,
  ];
  const head = ["checkpoint", "kind", "size", "files", `${by.replaceAll("_", " ")} of its evaluation`, ""];
  return (
    <Loaded
      asked={asked}
      show={(rows) =>
        rows.length === 0 ? (
          <p>No checkpoint has been written yet.</p>
        ) : (
          <>
            {names.length > 1 && (
              <Select
                label="best by"
                value={by}
                options={names.map((name) => [name, name.replaceAll("_", " ")] as const)}
                on={(name) => setValues({ by: name })}
              />
            )}
            <Table label="Checkpoints" head={head} rows={rows.map((row) => ({ key: row.step, cells: cells(row) }))} />
          </>
        )
      }
    />
  );
}

/** Sizes are compared at once; checksums, which read every byte, when asked for. */
function Whole({ id, row }: { readonly id: string; readonly row: CheckpointRow }) {
  const [found, setFound] = useState<string | null>(null);
  const check = async () => {
    setFound("reading …");
    const { damage } = await read<{ readonly damage: string | null }>(["runs", id, "checkpoints", row.step]);
    setFound(damage === null ? "✓ all checksums match" : `✗ ${damage}`);
  };
  const sizes = row.complete === null ? "no checksums" : row.complete ? `${row.files} files, sizes right` : "✗ a file is missing or cut";
  return (
    <>
      {found ?? sizes}{" "}
      {!isBundle && row.complete !== null && found === null && <Button class="quiet" text="check" on={() => void check()} />}
    </>
  );
}
