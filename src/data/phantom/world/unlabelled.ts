/** Images of the phantom world without question or answer, for training that needs none. */
import type { Example } from "../../../core/records.ts";
import { exampleOf, type WorldCase, type WorldOptions, worldDataset } from "./world.ts";

export const phantomImages = worldDataset(
  {
    name: "phantom_images",
    stream: "images",
    description: "Phantom images: generated images alone, unlabelled (question and answer are empty, facts are absent)",
  },
  unlabelledExample,
);

function unlabelledExample(drawn: WorldCase, options: WorldOptions): Example {
  const { id, subjectId, images, meta } = exampleOf(drawn, options);
  const { question_type: _, ...strata } = meta;
  return { id, subjectId, images, question: "", answer: "", answerType: "open", choices: [], meta: strata };
}
