import * as z from "zod";
import { type Endpoint, endpoints } from "../api/endpoints.ts";
import * as schemas from "../api/schemas.ts";
import type { Environment } from "../util/settings.ts";
import { pause } from "./pause.ts";
import { Failure } from "./program.ts";
import { plainText } from "./terminal.ts";

/** Most time that a call may take, in ms. */
const CALL_TIMEOUT = 30_000;

/** Between two looks at a download, in ms. */
const POLL_INTERVAL = 200;

/** How long a server may be away while a download is watched, in ms: time to be started again. */
const PATIENCE = 60_000;

/** The server's answer to a call that it refuses or fails. */
export class ApiCallError extends Failure {
  override name = "ApiCallError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }
}

/** No answer came: nothing listens there, the connection broke, or time ran out. */
export class UnreachableError extends Failure {
  override name = "UnreachableError";
}

interface Call {
  downloadId?: string;
  query?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
}

export interface ApiClientOptions {
  /** Such as `http://127.0.0.1:8080`. */
  server: string;
  /** What the server was given as API_TOKEN; undefined: it has none. */
  token?: string;
}

export interface WatchOptions {
  /** Ends the watching with its reason; the download goes on. */
  signal?: AbortSignal;
  /** ms */
  pollInterval?: number;
  /** How long the server may be away, in ms. */
  patience?: number;
}

/**
 * The REST interface, typed. Each method throws {@link ApiCallError} or {@link UnreachableError},
 * or the reason of its signal when that is aborted.
 */
export class ApiClient {
  constructor(private readonly options: ApiClientOptions) {}

  health(signal?: AbortSignal): Promise<schemas.Health> {
    return this.call(endpoints.health, schemas.Health, { signal });
  }

  async clients(signal?: AbortSignal): Promise<schemas.ClientRecord[]> {
    return (await this.call(endpoints.listClients, schemas.ClientList, { signal })).clients;
  }

  startDownload(
    body: schemas.NewDownload,
    signal?: AbortSignal,
  ): Promise<schemas.DownloadAccepted> {
    return this.call(endpoints.startDownload, schemas.DownloadAccepted, { body, signal });
  }

  /** One page; `next_cursor` leads to the next one. */
  downloads(
    query: z.input<typeof schemas.DownloadQuery> = {},
    signal?: AbortSignal,
  ): Promise<schemas.DownloadList> {
    return this.call(endpoints.listDownloads, schemas.DownloadList, { query, signal });
  }

  download(downloadId: string, signal?: AbortSignal): Promise<schemas.DownloadRecord> {
    return this.call(endpoints.getDownload, schemas.DownloadRecord, { downloadId, signal });
  }

  cancel(downloadId: string, signal?: AbortSignal): Promise<schemas.DownloadRecord> {
    return this.call(endpoints.cancelDownload, schemas.DownloadRecord, { downloadId, signal });
  }

  retry(downloadId: string, signal?: AbortSignal): Promise<schemas.DownloadAccepted> {
    return this.call(endpoints.retryDownload, schemas.DownloadAccepted, { downloadId, signal });
  }

  /**
   * Looks at a download until it has ended, and outlives a restart of the server.
   * @param onChange gets the record at first and whenever it is another
   * @returns the record with its terminal status
   */
  async watchDownload(
    downloadId: string,
    onChange: (record: schemas.DownloadRecord) => void,
    { signal, pollInterval = POLL_INTERVAL, patience = PATIENCE }: WatchOptions = {},
  ): Promise<schemas.DownloadRecord> {
    let last: schemas.DownloadRecord | null = null;
    let lastAnswer = performance.now();
    for (;;) {
      try {
        const record = await this.download(downloadId, signal);
        lastAnswer = performance.now();
        if (!Bun.deepEquals(record, last)) onChange(record);
        if (hasEnded(record)) return record;
        last = record;
      } catch (error) {
        const isAway = error instanceof UnreachableError;
        if (!isAway || performance.now() - lastAnswer >= patience) throw error;
      }
      await pause(pollInterval, signal);
    }
  }

  private async call<T>(endpoint: Endpoint, schema: z.ZodType<T>, call: Call): Promise<T> {
    const { ok, status, body } = await this.send(endpoint, call);
    if (ok) {
      const answer = schema.safeParse(body);
      if (answer.success) return answer.data;
    } else {
      const answer = schemas.ApiError.safeParse(body);
      if (answer.success) {
        throw new ApiCallError(status, answer.data.code, plainText(answer.data.error));
      }
    }
    throw new ApiCallError(
      status,
      "unexpected_answer",
      `check the address "${this.options.server}": it answered ${status} with what is not of this version of the API`,
    );
  }

  /** @returns `body` null where it is not JSON */
  private async send(endpoint: Endpoint, { downloadId, query, body, signal }: Call) {
    const { server, token } = this.options;
    const path = endpoint.path.replace(":download_id", encodeURIComponent(downloadId ?? ""));
    const url = new URL(path, server);
    url.search = new URLSearchParams(query).toString();
    const timeout = AbortSignal.timeout(CALL_TIMEOUT);
    try {
      const response = await fetch(url, {
        method: endpoint.method,
        headers: {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { "content-type": "application/json" }),
        },
        body: body === undefined ? undefined : JSON.stringify(body),
        signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
      });
      return { ok: response.ok, status: response.status, body: parseJson(await response.text()) };
    } catch (error) {
      signal?.throwIfAborted();
      throw new UnreachableError(whyUnreachable(server, error), { cause: error });
    }
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function whyUnreachable(server: string, error: unknown): string {
  if (!(error instanceof Error)) return `check the address "${server}": ${String(error)}`;
  if (error.name === "TimeoutError") {
    return `look at the log of the server at "${server}": it gave no answer within ${CALL_TIMEOUT / 1000} s`;
  }
  return "code" in error && error.code === "ECONNREFUSED"
    ? `no server answers at "${server}", start it with "bun run server"`
    : `check the address "${server}": ${plainText(error.message)}`;
}

/** True for a status that never changes any more. */
export function hasEnded({ status }: schemas.DownloadRecord): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}

/**
 * Makes calls to this machine pass by the HTTP proxy that the environment may name: it could not
 * reach what listens on our loopback. `fetch` reads the variable at each call.
 */
export function bypassProxyForLoopback(env: Environment): void {
  const others = env["no_proxy"] ?? env["NO_PROXY"];
  env["no_proxy"] = [...(others ? [others] : []), "localhost", "127.0.0.1", "::1"].join(",");
}
