import * as z from "zod";
import { entityTag } from "../../api/checksums.ts";
import { AuditList, type AuditQuery } from "../../api/audit.ts";
import { ClientFileList } from "../../api/files.ts";
import { type Endpoint, endpoints } from "../../api/endpoints.ts";
import * as enrolment from "../../api/enrolment.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import * as schemas from "../../api/schemas.ts";
import { SetFileList, type SetFileQuery } from "../../api/sets.ts";
import * as tokens from "../../api/tokens.ts";
import { readEvents, type ServerSentEvent } from "../../util/server-sent-events.ts";
import { leadsHere } from "../../util/loopback.ts";
import { plainText } from "../../util/plain-text.ts";
import { pause } from "../pause.ts";
import { Failure } from "../program.ts";
import type { StoredFile } from "./stored-file.ts";

/** Most time that a call may take, and that an answer may stand still, in ms. */
const CALL_TIMEOUT = 30_000;

/** Between two tries to reach a server that is away, in ms. */
const POLL_INTERVAL = 200;

/** How long a server may be away while something is watched, in ms: time to be started again. */
const PATIENCE = 60_000;

/** The same where it has no time for more requests for now. */
const BUSY_INTERVAL = 1000;

/** Statuses that a proxy answers for a server that is not there. */
const AWAY = new Set([502, 503, 504]);

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

  /** The same error with what it is about. */
  about(what: string): ApiCallError {
    const { status, code, message } = this;
    return new ApiCallError(status, code, `${what}: ${message}`, { cause: this });
  }
}

/** No answer came: nothing listens there, the connection broke, or time ran out. */
export class UnreachableError extends Failure {
  override name = "UnreachableError";
}

interface Call {
  downloadId?: string;
  clientId?: string;
  /** The name of a token or an enrolment key. */
  name?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  body?: unknown;
  signal?: AbortSignal;
}

export interface ApiClientOptions {
  /** Such as `http://127.0.0.1:8080`. */
  server: string;
  /** What the server was given as API_TOKEN; undefined: it has none. */
  token?: string;
  /** PEM files: who signed the server's certificate, and our own where it asks for one. */
  tls?: { ca?: string; cert?: string; key?: string };
}

export interface WatchOptions {
  /** Ends the watching with its reason; the download goes on. */
  signal?: AbortSignal;
  /** Between two tries to reach a server that is away, in ms. */
  pollInterval?: number;
  /** How long the server may be away, in ms. */
  patience?: number;
  /** Called before each try to reach the server: what happens until then may not be told. */
  onDial?: () => void;
  /** Called at each try that did not reach the server. */
  onAway?: () => void;
}

/**
 * The REST interface, typed. Each method throws {@link ApiCallError} or {@link UnreachableError},
 * or the reason of its signal when that is aborted.
 */
export class ApiClient {
  constructor(private readonly options: ApiClientOptions) {}

  /** Its address, without a slash at the end. */
  get server(): string {
    return this.options.server.replace(/\/+$/, "");
  }

  health(signal?: AbortSignal): Promise<schemas.Health> {
    return this.call(endpoints.health, schemas.Health, { signal });
  }

  /** A code for a link to the dashboard, good for one sign-in. */
  signInCode(signal?: AbortSignal): Promise<schemas.SignInCode> {
    return this.call(endpoints.createSignInCode, schemas.SignInCode, { signal });
  }

  async clients(signal?: AbortSignal): Promise<schemas.ClientRecord[]> {
    return (await this.call(endpoints.listClients, schemas.ClientList, { signal })).clients;
  }

  /** One page of a client's folder; without a path, of its roots. */
  clientFiles(
    clientId: string,
    { path, cursor }: { path: string | undefined; cursor: string | undefined },
    signal?: AbortSignal,
  ): Promise<ClientFileList> {
    const query = {
      limit: String(MAX_PAGE),
      ...(path !== undefined && { path }),
      ...(cursor !== undefined && { cursor }),
    };
    return this.call(endpoints.listClientFiles, ClientFileList, { clientId, query, signal });
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

  /** @param change what is to be another */
  change(
    downloadId: string,
    body: schemas.DownloadChange,
    signal?: AbortSignal,
  ): Promise<schemas.DownloadRecord> {
    const call = { downloadId, body, signal };
    return this.call(endpoints.changeDownload, schemas.DownloadRecord, call);
  }

  retry(downloadId: string, signal?: AbortSignal): Promise<schemas.DownloadAccepted> {
    return this.call(endpoints.retryDownload, schemas.DownloadAccepted, { downloadId, signal });
  }

  /** One page of who did what; `next_cursor` leads to the next one. */
  audit(query: z.input<typeof AuditQuery> = {}, signal?: AbortSignal): Promise<AuditList> {
    return this.call(endpoints.audit, AuditList, { query, signal });
  }

  /** Cuts a client off; its key is refused from then on. */
  revokeClient(clientId: string, signal?: AbortSignal): Promise<schemas.ClientRecord> {
    return this.call(endpoints.revokeClient, schemas.ClientRecord, { clientId, signal });
  }

  async enrolmentKeys(signal?: AbortSignal): Promise<enrolment.EnrolmentKeyRecord[]> {
    const schema = enrolment.EnrolmentKeyList;
    return (await this.call(endpoints.listEnrolmentKeys, schema, { signal })).enrolment_keys;
  }

  /** The answer alone holds the secret. */
  createEnrolmentKey(
    body: enrolment.NewEnrolmentKey,
    signal?: AbortSignal,
  ): Promise<enrolment.IssuedEnrolmentKey> {
    const schema = enrolment.IssuedEnrolmentKey;
    return this.call(endpoints.createEnrolmentKey, schema, { body, signal });
  }

  revokeEnrolmentKey(name: string, signal?: AbortSignal): Promise<enrolment.EnrolmentKeyRecord> {
    const schema = enrolment.EnrolmentKeyRecord;
    return this.call(endpoints.revokeEnrolmentKey, schema, { name, signal });
  }

  async tokens(signal?: AbortSignal): Promise<tokens.TokenRecord[]> {
    return (await this.call(endpoints.listTokens, tokens.TokenList, { signal })).tokens;
  }

  /** The answer alone holds the secret. */
  createToken(body: tokens.NewToken, signal?: AbortSignal): Promise<tokens.IssuedToken> {
    return this.call(endpoints.createToken, tokens.IssuedToken, { body, signal });
  }

  revokeToken(name: string, signal?: AbortSignal): Promise<tokens.TokenRecord> {
    return this.call(endpoints.revokeToken, tokens.TokenRecord, { name, signal });
  }

  /**
   * Follows a download until it has ended, and outlives a restart of the server.
   * @param onChange gets the record at first, whenever it is another, and once the server is back
   * @returns the record with its terminal status
   */
  async watchDownload(
    downloadId: string,
    onChange: (record: schemas.DownloadRecord) => void,
    options: WatchOptions = {},
  ): Promise<schemas.DownloadRecord> {
    const call = { downloadId, signal: options.signal };
    for await (const { event, data } of this.follow(endpoints.downloadEvents, call, options)) {
      if (event !== "download") continue;
      onChange(data);
      if (hasEnded(data)) return data;
    }
    throw new Error("a download is followed until it has ended");
  }

  /**
   * Follows everything that happens, and outlives restarts of the server: at first, and once it is
   * back, all clients and all downloads that have not ended, then each change.
   */
  changes(options: WatchOptions = {}): AsyncGenerator<schemas.Change> {
    return this.follow(endpoints.events, { signal: options.signal }, options);
  }

  /** One page of the files of a set; `next_cursor` leads to the next one. */
  setFiles(
    downloadId: string,
    query: z.input<typeof SetFileQuery> = {},
    signal?: AbortSignal,
  ): Promise<SetFileList> {
    return this.call(endpoints.listSetFiles, SetFileList, { downloadId, query, signal });
  }

  /**
   * The bytes of a file that the server keeps, piece by piece.
   * @param offset where to begin, less than the size
   * @throws UnreachableError also where they break off
   */
  async *content(
    { downloadId, path, checksum, digest, size }: StoredFile,
    offset: number,
    signal?: AbortSignal,
  ): AsyncGenerator<Uint8Array> {
    const etag = entityTag(checksum, digest);
    const headers = { range: `bytes=${offset}-`, "if-range": etag };
    const isPart = ({ status, headers: its }: Response) =>
      status === 206 && its.get("etag") === etag;
    let left = size - offset;
    const call = { downloadId, headers, signal, ...(path !== undefined && { query: { path } }) };
    for await (const piece of this.pieces(endpoints.downloadContent, call, isPart)) {
      left -= piece.length;
      if (left < 0) {
        throw new Failure(
          `the server at "${this.options.server}" sends more bytes than the file has`,
        );
      }
      yield piece;
    }
    if (left > 0) throw this.problemOf(new Error(`${left} bytes are missing`), signal);
  }

  /** The changes that the server tells of, for as long as somebody wants them. */
  private async *follow(
    endpoint: Endpoint,
    call: Call,
    { pollInterval = POLL_INTERVAL, patience = PATIENCE, onDial, onAway }: WatchOptions,
  ): AsyncGenerator<schemas.Change> {
    let lastId = "";
    let awaySince: number | null = null;
    for (;;) {
      onDial?.();
      try {
        const headers = lastId === "" ? undefined : { "last-event-id": lastId };
        const pieces = this.pieces(endpoint, { ...call, headers }, isEventStream);
        for await (const sent of readEvents(pieces)) {
          awaySince = null;
          lastId = sent.id;
          yield this.changeOf(sent);
        }
      } catch (error) {
        awaySince ??= performance.now();
        if (!isTransient(error) || performance.now() - awaySince >= patience) throw error;
        onAway?.();
        if (error instanceof ApiCallError) await pause(BUSY_INTERVAL, call.signal);
      }
      await pause(pollInterval, call.signal);
    }
  }

  private changeOf({ event, data }: ServerSentEvent): schemas.Change {
    const change = schemas.Change.safeParse({ event, data: parseJson(data) });
    if (change.success) return change.data;
    throw this.unexpected({ status: 200 });
  }

  /**
   * An answer, piece by piece, however long it goes on.
   * @param isWanted whether it is what was asked for
   * @throws UnreachableError also where it breaks off, or nothing comes for a while
   */
  private async *pieces(
    endpoint: Endpoint,
    call: Call,
    isWanted: (response: Response) => boolean,
  ): AsyncGenerator<Uint8Array> {
    const stalled = new AbortController();
    const timer = setTimeout(
      () => stalled.abort(new DOMException("", "TimeoutError")),
      CALL_TIMEOUT,
    );
    try {
      const response = await this.send(endpoint, call, stalled.signal);
      if (!response.ok) throw await this.refusal(response);
      if (!isWanted(response) || !response.body) throw this.unexpected(response);
      for await (const piece of response.body) {
        timer.refresh();
        yield piece;
      }
    } catch (error) {
      throw this.problemOf(error, call.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  private async call<T>(endpoint: Endpoint, schema: z.ZodType<T>, call: Call): Promise<T> {
    try {
      const response = await this.send(endpoint, call, AbortSignal.timeout(CALL_TIMEOUT));
      if (!response.ok) throw await this.refusal(response);
      const answer = schema.safeParse(parseJson(await response.text()));
      if (answer.success) return answer.data;
      throw this.unexpected(response);
    } catch (error) {
      throw this.problemOf(error, call.signal);
    }
  }

  private send(
    endpoint: Endpoint,
    { downloadId = "", clientId = "", name = "", query, headers, body, signal }: Call,
    timeout: AbortSignal,
  ): Promise<Response> {
    const { token, tls } = this.options;
    const path = endpoint.path
      .replace(":download_id", encodeURIComponent(downloadId))
      .replace(":client_id", encodeURIComponent(clientId))
      .replace(":name", encodeURIComponent(name));
    const url = new URL(this.server + path);
    url.search = new URLSearchParams(query).toString();
    return fetch(url, {
      method: endpoint.method,
      headers: {
        ...headers,
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      tls: {
        ...(tls?.ca && { ca: Bun.file(tls.ca) }),
        ...(tls?.cert && { cert: Bun.file(tls.cert) }),
        ...(tls?.key && { key: Bun.file(tls.key) }),
      },
      // A proxy that the environment names would see the token, and could not reach our loopback.
      ...(leadsHere(url.hostname) && { proxy: false }),
      // Elsewhere the token would be missing, or be shown to another server.
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    });
  }

  /** What an answer means that is not the one that was asked for. */
  private async refusal(response: Response): Promise<Failure> {
    const { status, headers } = response;
    const elsewhere = status >= 300 && status < 400 ? headers.get("location") : null;
    if (elsewhere !== null) return this.redirected(status, elsewhere);
    const answer = schemas.ApiError.safeParse(parseJson(await response.text()));
    if (answer.success) {
      const hint = status === 401 ? "set API_TOKEN to that of the server: " : "";
      return new ApiCallError(status, answer.data.code, hint + plainText(answer.data.error));
    }
    if (!AWAY.has(status)) return this.unexpected(response);
    return new UnreachableError(
      `start the server behind the proxy at "${this.options.server}", which answered ${status}`,
    );
  }

  private redirected(status: number, location: string): ApiCallError {
    const { server } = this.options;
    const message = `pass the right address: "${server}" answered ${status}, it leads to "${plainText(location)}"`;
    return new ApiCallError(status, "unexpected_answer", message);
  }

  private unexpected({ status }: Pick<Response, "status">): ApiCallError {
    return new ApiCallError(
      status,
      "unexpected_answer",
      `check the address "${this.options.server}": it answered ${status} with what is not of this version of the API`,
    );
  }

  /** Why a call failed: the reason of its signal, what the server said, or that nobody answered. */
  private problemOf(error: unknown, signal?: AbortSignal): unknown {
    if (signal?.aborted) return signal.reason;
    if (error instanceof Failure) return error;
    return new UnreachableError(whyUnreachable(this.options.server, error), { cause: error });
  }
}

function isEventStream({ headers }: Response): boolean {
  return headers.get("content-type")?.startsWith("text/event-stream") ?? false;
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

/** True where another try makes sense: the server is away, or has no time for now. */
export function isTransient(error: unknown): error is ApiCallError | UnreachableError {
  return (
    error instanceof UnreachableError ||
    (error instanceof ApiCallError && error.code === "rate_limited")
  );
}

/** True for a status that never changes any more. */
export function hasEnded({ status }: schemas.DownloadRecord): boolean {
  return status === "completed" || status === "failed" || status === "cancelled";
}
