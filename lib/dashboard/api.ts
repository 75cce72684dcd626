import type { IssuedEnrolmentKey, NewEnrolmentKey } from "../api/enrolment.ts";
import type { ClientFileList } from "../api/files.ts";
import type * as schemas from "../api/schemas.ts";
import type { SetFileList } from "../api/sets.ts";

/** The server refused a call, or failed at it. */
export class ApiProblem extends Error {
  override name = "ApiProblem";

  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** What a list is asked for. */
export interface ListQuery {
  status?: schemas.DownloadStatus;
  client_id?: string;
  open?: "true";
  /** The only one that is meant. */
  download_id?: string;
  limit?: number;
  cursor?: string;
}

/** What the names of a folder, or the files of a set, are asked for; null: not said. */
export interface PageQuery {
  path?: string | null;
  status?: string | null;
  limit: number;
  cursor: string | null;
}

/** Most time that a call may take, in ms. */
const CALL_TIMEOUT = 30_000;

/**
 * The calls of the REST interface that the page makes, with the cookie of the session. Their addresses
 * are relative to the page's, which may lie below a path of a reverse proxy. Each throws
 * {@link ApiProblem} with what the server said, or another Error where no answer came.
 */
export const api = {
  session: () => call<schemas.Session>("GET", "api/session"),
  signIn: (body: schemas.NewSession) => call<schemas.Session>("POST", "api/session", body),
  signOut: () => call<schemas.Session>("DELETE", "api/session"),
  clients: () => call<schemas.ClientList>("GET", "api/clients"),
  totals: (since: Date) =>
    call<schemas.Totals>("GET", `api/totals?since=${encodeURIComponent(since.toISOString())}`),
  downloads: ({ download_id, ...query }: ListQuery) =>
    download_id === undefined
      ? call<schemas.DownloadList>("GET", `api/downloads?${searchOf(query)}`)
      : listOfOne(download_id),
  clientFiles: (id: string, query: PageQuery, signal: AbortSignal) =>
    call<ClientFileList>(
      "GET",
      `api/clients/${encodeURIComponent(id)}/files?${searchOf(query)}`,
      undefined,
      signal,
    ),
  setFiles: (id: string, query: PageQuery) =>
    call<SetFileList>("GET", `${pathOf(id)}/files?${searchOf(query)}`),
  start: (body: schemas.NewDownload) =>
    call<schemas.DownloadAccepted>("POST", "api/download", body),
  cancel: (id: string) => call<schemas.DownloadRecord>("POST", `${pathOf(id)}/cancel`),
  createEnrolmentKey: (body: NewEnrolmentKey) =>
    call<IssuedEnrolmentKey>("POST", "api/enrolment-keys", body),
  retry: (id: string) => call<schemas.DownloadAccepted>("POST", `${pathOf(id)}/retry`),
};

/** Why the server does not tell of changes; null: it does, or it does not answer. */
export function refusalOfEvents(): Promise<ApiProblem | null> {
  return refusalOf("api/events").catch(() => null);
}

/**
 * That the bytes of a completed download are there.
 * @throws ApiProblem where they are not
 */
export async function requireContent(downloadId: string): Promise<void> {
  const path = contentPath(downloadId);
  const { ok } = await answered(fetch(path, { method: "HEAD" }));
  // The answer to a HEAD has no body that would say why.
  const refusal = ok ? null : await refusalOf(path);
  if (refusal) throw refusal;
}

/** Where the bytes of a completed download are. */
export function contentPath(downloadId: string): string {
  return `${pathOf(downloadId)}/content`;
}

function pathOf(downloadId: string): string {
  return `api/downloads/${encodeURIComponent(downloadId)}`;
}

async function listOfOne(downloadId: string): Promise<schemas.DownloadList> {
  try {
    const download = await call<schemas.DownloadRecord>("GET", pathOf(downloadId));
    return { downloads: [download], next_cursor: null };
  } catch (error) {
    if (!(error instanceof ApiProblem) || error.status !== 404) throw error;
    return { downloads: [], next_cursor: null };
  }
}

function searchOf(query: ListQuery | PageQuery): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
}

/** @param signal ends the call */
async function call<T>(
  method: string,
  path: string,
  body?: object,
  signal?: AbortSignal,
): Promise<T> {
  const timeout = AbortSignal.timeout(CALL_TIMEOUT);
  const request = fetch(path, {
    method,
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    ...(body && {
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    }),
  });
  const response = await answered(request);
  if (response.ok) return response.json();
  throw await problemOf(response);
}

async function answered(request: Promise<Response>): Promise<Response> {
  return request.catch((cause: unknown) => {
    throw new Error("No answer from the server", { cause });
  });
}

/** Why a GET is refused; null: it is not. What it answers is not read. */
async function refusalOf(path: string): Promise<ApiProblem | null> {
  const ending = new AbortController();
  try {
    const response = await answered(fetch(path, { signal: ending.signal }));
    return response.ok ? null : await problemOf(response);
  } finally {
    ending.abort();
  }
}

async function problemOf(response: Response): Promise<ApiProblem> {
  const text = await response.text();
  try {
    const { error } = JSON.parse(text) as schemas.ApiError;
    return new ApiProblem(response.status, error);
  } catch {
    // A proxy in between has words of its own.
    return new ApiProblem(response.status, `The server answered with status ${response.status}`);
  }
}
