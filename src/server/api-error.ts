/** What a client is told of a request that failed, in the OpenAI API's form {error: {message, type, param, code}}. */

export interface ApiErrorOptions {
  /** The field that is wrong, e.g. "messages[0].content". */
  readonly param?: string;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly cause?: unknown;
}

export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly param: string | null;
  readonly code: string | null;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, o: ApiErrorOptions = {}) {
    super(message, { cause: o.cause });
    this.status = status;
    this.param = o.param ?? null;
    this.code = o.code ?? null;
    this.headers = o.headers ?? {};
  }

  get body() {
    const { message, param, code } = this;
    return { error: { message, type: typeOf(this.status), param, code } };
  }
}

/** A request that cannot be served as it is. */
export function badRequest(param: string, message: string, code = "invalid_value"): ApiError {
  return new ApiError(400, message, { param, code });
}

/** The client has closed the connection: nobody hears the answer. */
export function clientGone(): ApiError {
  return new ApiError(499, "the client left", { code: "client_closed_request" });
}

function typeOf(status: number): string {
  if (status === 401 || status === 403) return "authentication_error";
  if (status === 429) return "rate_limit_error";
  return status < 500 ? "invalid_request_error" : "server_error";
}
