/** What options of commands can be, without the code that takes them: commands say it in their help. */
import { type ConfidenceScore, confidenceScores } from "../control/confidence.ts";

export { maxTokensFields } from "../io/max-tokens-field.ts";

/** How sure of a trial answer `--stop` takes the model to be. */
export const stopScores = Object.keys(confidenceScores) as readonly ConfidenceScore[];

/** What `environment` of a source can be: a name whose options have defaults for all, or none. */
export const environmentChoices = ["none", "viewer_tools"] as const;
export type EnvironmentChoice = (typeof environmentChoices)[number];
