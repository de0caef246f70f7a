/** Evaluation: scores, baselines, intervals, tables. */
export { type Baselines, questionType, trainBaselines } from "./baselines.ts";
export { type Evaluation, type EvaluationOptions, evaluatePolicy } from "./evaluate.ts";
export { type EvalItem, type Prediction, type ScoreOptions, scoreBaselines, scoreItems } from "./score.ts";
export { bootstrapMean, type Interval, mcnemarExact, pairedBootstrap, wilson } from "./statistics.ts";
export { breakdown, type EvalSummary, type SubsetSummary, summarise } from "./summary.ts";
export { formatSummary } from "./table.ts";
