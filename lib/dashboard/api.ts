import type { EndpointAt, PathOf } from "../api/endpoints.ts";
import type { AnswerOf, Endpoint } from "../api/endpoints/endpoint.ts";
import { addressOf, type AnyRequest, type RequestOf } from "../api/endpoints/request.ts";
import type { ApiError, DownloadList } from "../api/schemas.ts";

/** A REST call was answered with an error status. The message is the server's, if the response has one. */
export class ApiProblem extends Error {
  override name = "ApiProblem";

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

type Method = Endpoint["method"];
type Request<M, Path> = RequestOf<EndpointAt<M, Path>>;
type Query<Path extends PathOf<"GET">> = NonNullable<Request<"GET", Path>["query"]>;
type Body<Path extends PathOf<"POST">> = Request<"POST", Path>["body"];

/** Filters and paging of a request for the list of downloads. */
export interface ListQuery extends Omit<Query<"/api/downloads">, "limit"> {
  /** Id of the only download to return. */
  download_id?: string;
  limit?: number;
}

/** Time limit of a REST call, in ms. */
const CALL_TIMEOUT = 30_000;

/**
 * The REST calls of the page, authenticated by the session's cookie. URLs are relative to the page, which a
 * reverse proxy may serve below a path of its own. Each call throws {@link ApiProblem} for an error status,
 * and another Error if the server does not answer.
 */
export const api = {
  session: () => call("GET", "/api/session", {}),
  signIn: (body: Body<"/api/session">) => call("POST", "/api/session", { body }),
  signOut: () => call("DELETE", "/api/session", {}),
  health: () => call("GET", "/health", {}),
  clients: () => call("GET", "/api/clients", {}),
  totals: (since: Date) => call("GET", "/api/totals", { query: { since: since.toISOString() } }),
  downloads: ({ download_id, limit, ...query }: ListQuery) =>
    download_id === undefined
      ? call("GET", "/api/downloads", { query: { ...query, limit: limit?.toString() } })
      : listOfOne(download_id),
  changeClient: (id: string, body: Request<"PATCH", "/api/clients/:client_id">["body"]) =>
    call("PATCH", "/api/clients/:client_id", { params: { client_id: id }, body }),
  clientFiles: (id: string, query: Query<"/api/clients/:client_id/files">, signal: AbortSignal) =>
    call("GET", "/api/clients/:client_id/files", { params: { client_id: id }, query }, { signal }),
  setFiles: (id: string, query: Query<"/api/downloads/:download_id/files">) =>
    call("GET", "/api/downloads/:download_id/files", { ...downloadParams(id), query }),
  start: (body: Body<"/api/download">) => call("POST", "/api/download", { body }),
  cancel: (id: string) => call("POST", "/api/downloads/:download_id/cancel", downloadParams(id)),
  createEnrolmentKey: (body: Body<"/api/enrolment-keys">) =>
    call("POST", "/api/enrolment-keys", { body }),
  jobs: (query: Query<"/api/jobs">) => call("GET", "/api/jobs", { query }),
  job: (id: string) => call("GET", "/api/jobs/:job_id", jobParams(id)),
  /** Creates a job. @param key value of Idempotency-Key: repeated requests with one key make only one job */
  createJob: (body: Body<"/api/jobs">, key: string) =>
    call("POST", "/api/jobs", { body }, { headers: { "Idempotency-Key": key } }),
  changeJob: (id: string, body: Request<"PATCH", "/api/jobs/:job_id">["body"]) =>
    call("PATCH", "/api/jobs/:job_id", { ...jobParams(id), body }),
  pauseJob: (id: string) => call("POST", "/api/jobs/:job_id/pause", jobParams(id)),
  resumeJob: (id: string) => call("POST", "/api/jobs/:job_id/resume", jobParams(id)),
  cancelJob: (id: string) => call("POST", "/api/jobs/:job_id/cancel", jobParams(id)),
  rerunJob: (id: string, body: Body<"/api/jobs/:job_id/rerun">) =>
    call("POST", "/api/jobs/:job_id/rerun", { ...jobParams(id), body }),
  change: (id: string, body: Request<"PATCH", "/api/downloads/:download_id">["body"]) =>
    call("PATCH", "/api/downloads/:download_id", { ...downloadParams(id), body }),
  removeContent: (id: string) =>
    call("DELETE", "/api/downloads/:download_id/content", downloadParams(id)),
  webhooks: () => call("GET", "/api/webhooks", {}),
  createWebhook: (body: Body<"/api/webhooks">) => call("POST", "/api/webhooks", { body }),
  changeWebhook: (name: string, body: Request<"PATCH", "/api/webhooks/:name">["body"]) =>
    call("PATCH", "/api/webhooks/:name", { params: { name }, body }),
  deleteWebhook: (name: string) => call("DELETE", "/api/webhooks/:name", { params: { name } }),
  testWebhook: (name: string) => call("POST", "/api/webhooks/:name/test", { params: { name } }),
  rotateWebhookSecret: (name: string) =>
    call("POST", "/api/webhooks/:name/rotate", { params: { name } }),
  webhookAttempts: (name: string, limit: number) =>
    call("GET", "/api/webhooks/:name/attempts", {
      params: { name },
      query: { limit: String(limit) },
    }),
  replayWebhookAttempt: (name: string, id: string) =>
    call("POST", "/api/webhooks/:name/attempts/:attempt_id/replay", {
      params: { name, attempt_id: id },
    }),
  download: (id: string) => call("GET", "/api/downloads/:download_id", downloadParams(id)),
  schedules: () => call("GET", "/api/schedules", {}),
  createSchedule: (body: Body<"/api/schedules">) => call("POST", "/api/schedules", { body }),
  changeSchedule: (name: string, body: Request<"PATCH", "/api/schedules/:name">["body"]) =>
    call("PATCH", "/api/schedules/:name", { params: { name }, body }),
  deleteSchedule: (name: string) => call("DELETE", "/api/schedules/:name", { params: { name } }),
  previewSchedule: (name: string, query: Query<"/api/schedules/:name/preview">) =>
    call("GET", "/api/schedules/:name/preview", { params: { name }, query }),
  runSchedule: (name: string, body: Body<"/api/schedules/:name/run">) =>
    call("POST", "/api/schedules/:name/run", { params: { name }, body }),
  deliveries: (name: string, query: Query<"/api/schedules/:name/deliveries">) =>
    call("GET", "/api/schedules/:name/deliveries", { params: { name }, query }),
  board: (name: string, query: Query<"/api/schedules/:name/board">) =>
    call("GET", "/api/schedules/:name/board", { params: { name }, query }),
  previewTimes: (body: Body<"/api/schedules/preview">, signal: AbortSignal) =>
    call("POST", "/api/schedules/preview", { body }, { signal }),
  retry: (id: string) => call("POST", "/api/downloads/:download_id/retry", downloadParams(id)),
};

/** URL of the server's event stream, relative to the page. */
export const EVENTS_URL = relativeUrl("/api/events" satisfies PathOf<"GET">);

/**
 * Finds out why the server refuses the event stream.
 * @returns null if the server accepts the event stream, or does not answer
 */
export function refusalOfEvents(): Promise<ApiProblem | null> {
  return refusalOf(EVENTS_URL).catch(() => null);
}

/** Checks that the content of a completed download is available. @throws ApiProblem if it is not */
export async function requireContent(downloadId: string): Promise<void> {
  const path = contentPath(downloadId);
  const { ok } = await responseOf(fetch(path, { method: "HEAD" }));
  // The response to HEAD has no body with the reason, so a GET follows.
  const refusal = ok ? null : await refusalOf(path);
  if (refusal) throw refusal;
}

/**
 * Returns the URL of a completed download's content.
 * @param path a file of a set; undefined for the whole set, and for a download of one file
 */
export function contentPath(downloadId: string, path?: string): string {
  const endpoint: PathOf<"GET"> = "/api/downloads/:download_id/content";
  return relativeUrl(endpoint, { ...downloadParams(downloadId), query: { path } });
}

function downloadParams(downloadId: string) {
  return { params: { download_id: downloadId } };
}

function jobParams(jobId: string) {
  return { params: { job_id: jobId } };
}

async function listOfOne(downloadId: string): Promise<DownloadList> {
  try {
    const download = await call("GET", "/api/downloads/:download_id", downloadParams(downloadId));
    return { downloads: [download], next_cursor: null };
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    return { downloads: [], next_cursor: null };
  }
}

/** Returns the URL of a REST call, relative to the page. */
function relativeUrl(path: string, request: AnyRequest = {}): string {
  return addressOf(path, request).slice(1);
}

interface CallOptions {
  /** Aborts the call. */
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

async function call<M extends Method, Path extends PathOf<M>>(
  method: M,
  path: Path,
  request: Request<M, NoInfer<Path>>,
  options?: CallOptions,
): Promise<AnswerOf<EndpointAt<M, Path>>>;
async function call(
  method: Method,
  path: string,
  request: AnyRequest,
  { signal, headers }: CallOptions = {},
): Promise<unknown> {
  const timeout = AbortSignal.timeout(CALL_TIMEOUT);
  const { body } = request;
  const response = await responseOf(
    fetch(relativeUrl(path, request), {
      method,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      headers: { ...headers, ...(body !== undefined && { "Content-Type": "application/json" }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }),
  );
  if (response.ok) return response.json();
  throw await problemOf(response);
}

async function responseOf(request: Promise<Response>): Promise<Response> {
  return request.catch((cause: unknown) => {
    throw new Error("No answer from the server", { cause });
  });
}

/** Sends a GET to find out why the server refuses it. @returns the reason; null if the GET succeeds */
async function refusalOf(path: string): Promise<ApiProblem | null> {
  const controller = new AbortController();
  try {
    const response = await responseOf(fetch(path, { signal: controller.signal }));
    return response.ok ? null : await problemOf(response);
  } finally {
    controller.abort();
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as ApiError;
    return new ApiProblem(response.status, error);
  } catch {
    // The body is not the server's JSON. It may be an error page of a reverse proxy.
    return new ApiProblem(response.status, `The server answered with status ${response.status}`);
  }
}
