/** The POST endpoints with JSON bodies, by their names below /api/v1/: a body's schema, and what answers it. */
import type * as z from "zod";
import { problemOf } from "../../core/issues.ts";
import { requests } from "../../tinker/index.ts";
import { ApiError } from "../api-error.ts";
import type { TinkerService } from "./service.ts";

type Answer = (service: TinkerService, body: unknown) => object | Promise<object>;

/** Throws ApiError (422) that names the field. */
function endpoint<Schema extends z.ZodType>(
  schema: Schema,
  answer: (service: TinkerService, body: z.output<Schema>) => object | Promise<object>,
): Answer {
  return (service, body) => {
    const parsed = schema.safeParse(body);
    if (parsed.success) return answer(service, parsed.data);
    const { path, message } = problemOf(parsed.error.issues[0]!);
    throw new ApiError(422, `${path.length === 0 ? "body" : path.join(".")}: ${message}`, { code: "invalid_value" });
  };
}

/** The same for a model's requests: what is wrong with one is its result, so that its number counts and the next need not wait. */
function turn<Schema extends z.ZodType>(
  schema: Schema,
  answer: (service: TinkerService, body: z.output<Schema>) => object,
): Answer {
  const checked = endpoint(schema, answer);
  return (service, body) => {
    try {
      return checked(service, body);
    } catch (error) {
      const { data: of } = requests.ofModel.safeParse(body);
      if (of?.seq_id == null || !(error instanceof ApiError) || error.code !== "invalid_value") throw error;
      return service.refuse(of.model_id, of.seq_id, error.message);
    }
  };
}

export const endpoints: Readonly<Record<string, Answer>> = {
  create_session: endpoint(requests.createSession, (service, body) => service.createSession(body)),
  session_heartbeat: endpoint(requests.sessionHeartbeat, (service, body) => service.heartbeat(body)),
  create_model: endpoint(requests.createModel, (service, body) => service.createModel(body)),
  get_info: endpoint(requests.ofModel, (service, body) => service.getInfo(body)),
  unload_model: turn(requests.ofModel, (service, body) => service.unloadModel(body)),
  optim_step: turn(requests.optimStep, (service, body) => service.optimStep(body)),
  save_weights: turn(requests.saveWeights, (service, body) => service.saveWeights(body)),
  save_weights_for_sampler: turn(requests.saveWeightsForSampler, (service, body) => {
    return service.saveWeightsForSampler(body);
  }),
  save_weights_external: turn(requests.saveWeightsExternal, (service, body) => service.saveWeightsExternal(body)),
  load_weights: turn(requests.loadWeights, (service, body) => service.loadWeights(body)),
  weights_info: endpoint(requests.weightsInfo, (service, body) => service.weightsInfo(body)),
  create_sampling_session: endpoint(requests.createSamplingSession, (service, body) => {
    return service.createSamplingSession(body);
  }),
  join_sampling_session: endpoint(requests.joinSamplingSession, (service, body) => service.joinSampler(body)),
  asample: endpoint(requests.sample, (service, body) => service.sample(body)),
};
