/** Evaluation: scores, baselines, intervals, tables. */
export {
  type AnswerListener,
  type AnswerSource,
  policySource,
  type Wanted,
} from "./answer-source.ts";
export type { Answers, BaselineAnswers, Prediction } from "./answers.ts";
export { auditDataset, type DatasetAuditOptions } from "./audit/dataset-mode.ts";
export { datasetAuditJsonSchema, datasetAuditResults, formatDatasetAudit } from "./audit/dataset-results.ts";
export { ROLES, type Roles, unreadableRole } from "./audit/roles.ts";
export { type AuditResults, auditJsonSchema, runAudit } from "./audit/run.ts";
export { lengthPairs, type PairScorer, pairScores } from "./audited-pairs.ts";
export { type Baselines, baselineAnswers, questionType, trainBaselines } from "./baselines.ts";
export { bootstrapMean, bootstrapMeans, type Interval, pairedBootstrap } from "./bootstrap.ts";
export { type CollectOptions, collectAnswers } from "./collect.ts";
export { type ComparedRun, type Comparison, compareEvaluations, comparisonJsonSchema } from "./compare.ts";
export { formatComparison } from "./comparison-table.ts";
export {
  CONDITIONS,
  type ConditionName,
  type Conditions,
  conditionDifferences,
  type Decoding,
  decodingOf,
  hashImages,
  hashQuestions,
  type ImageConditions,
} from "./conditions.ts";
export {
  type ConventionalFeatures,
  conventionalBaselines,
  conventionalFeatures,
  questionRegression,
} from "./conventional/baselines.ts";
export { conventionalModels } from "./conventional/index.ts";
export { tellingColumns } from "./conventional/knowledge.ts";
export { type ScaleSweep, scaleSweep } from "./conventional/scale.ts";
export { type CrossedValue, crossedBootstrap } from "./crossed-bootstrap.ts";
export { crossedRatioDifference, type PairedParts, type Part, ratioOf } from "./crossed-ratio.ts";
export {
  answerQuestions,
  type Evaluation,
  type EvaluationOptions,
  evaluateAnswers,
  evaluatePolicy,
  type ScoringOptions,
} from "./evaluate.ts";
export { type FactSummary, factScore } from "./facts.ts";
export { withBaselineImages } from "./image-baselines.ts";
export { lengthAudit } from "./length-audit.ts";
export {
  formatLengthAudit,
  type LengthAudit,
  lengthAuditJsonSchema,
  lengthAuditResults,
} from "./length-audit-results.ts";
export {
  type ConventionalName,
  findConventional,
  findImageBaselines,
  type ImageBaselineName,
  type ProbeName,
  type ProtocolName,
} from "./names.ts";
export { nearestNeighbour, towerNeighbour, withFewImages } from "./nearest.ts";
export { type PairedComparison, paired, verdictOf } from "./paired.ts";
export { openPartial, type PartialAnswers, type PartialHeader } from "./partial.ts";
export { readPredictions } from "./predictions.ts";
export { probes } from "./probes/index.ts";
export type { Attack, Scorer, ToolServices, WeightChange } from "./probes/probe.ts";
export { type ProbeResults, probeResults, probesJsonSchema, probesSchema } from "./probes/results.ts";
export { type ChangedPolicy, findProbes, runProbes } from "./probes/run.ts";
export { formatProbes, probeRows } from "./probes/table.ts";
export { type OpenedProbeTools, prepareTools, readTraining } from "./probes/tools.ts";
export { findProtocol, type Protocol, protocols } from "./protocols/index.ts";
export { readEvaluation } from "./read-evaluation.ts";
export { type EvaluationResults, evaluationResults, resultsJsonSchema, resultsSchema } from "./results.ts";
export { sampleRecords } from "./samples.ts";
export { type EvalItem, type ScoreOptions, scoreBaselines, scoreItems } from "./score.ts";
export { shotFigures, shotsFrom } from "./shots.ts";
export { holm, mcnemarExact, minimalDetectableDifference, normalShare, wilson } from "./statistics.ts";
export { breakdown, type EvalSummary, type SubsetSummary, summarise } from "./summary.ts";
export { formatSummary } from "./table.ts";
export { unaskedTags } from "./unasked-tags.ts";
export { verdicts, verdictsOf } from "./verdict.ts";
