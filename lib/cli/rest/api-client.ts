import { endpoints } from "../../api/endpoints.ts";
import type { AnswerOf } from "../../api/endpoints/endpoint.ts";
import type { RequestOf } from "../../api/endpoints/request.ts";
import { hasEnded } from "../../api/has-ended.ts";
import type { ChangeEvent, JobAccepted } from "../../api/jobs.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { fetchArchive } from "./fetch-archive.ts";
import { fetchContent } from "./fetch-content.ts";
import { liveChanges, type WatchOptions } from "./live-changes.ts";
import type { StoredFile } from "./stored-file.ts";
import { type ServerConnection, Transport } from "./transport.ts";
import { WebhookCalls } from "./webhook-calls.ts";

type Endpoints = typeof endpoints;
type Answer<Name extends keyof Endpoints> = Promise<AnswerOf<Endpoints[Name]>>;
type Query<Name extends keyof Endpoints> = NonNullable<RequestOf<Endpoints[Name]>["query"]>;
type Body<Name extends keyof Endpoints> = RequestOf<Endpoints[Name]>["body"];

/**
 * The calls of the REST API as typed methods. Each method throws ApiCallError or UnreachableError, or the
 * reason of its `signal` when the signal is aborted.
 */
export class ApiClient {
  readonly #transport: Transport;
  readonly webhooks: WebhookCalls;

  constructor(connection: ServerConnection) {
    this.#transport = new Transport(connection);
    this.webhooks = new WebhookCalls(this.#transport);
  }

  /** The server's address, without a trailing slash. */
  get server(): string {
    return this.#transport.baseUrl;
  }

  health(signal?: AbortSignal): Answer<"health"> {
    return this.#transport.call(endpoints.health, {}, { signal });
  }

  /** Creates a code that signs a browser in to the dashboard, once. */
  signInCode(signal?: AbortSignal): Answer<"createSignInCode"> {
    return this.#transport.call(endpoints.createSignInCode, {}, { signal });
  }

  async clients(signal?: AbortSignal) {
    const list = await this.#transport.call(endpoints.listClients, {}, { signal });
    return list.clients;
  }

  /** Lists the clients that match `query`: a selector of labels, and whether they are connected. */
  async clientsWith(query: Query<"listClients">, signal?: AbortSignal) {
    const list = await this.#transport.call(endpoints.listClients, { query }, { signal });
    return list.clients;
  }

  /** Sets and removes labels of a client. */
  changeClient(
    clientId: string,
    body: Body<"changeClient">,
    signal?: AbortSignal,
  ): Answer<"changeClient"> {
    const request = { params: { client_id: clientId }, body };
    return this.#transport.call(endpoints.changeClient, request, { signal });
  }

  /** Creates a job, which pulls from many clients. */
  async createJob(
    body: Omit<Body<"createJob">, "dry_run">,
    signal?: AbortSignal,
  ): Promise<JobAccepted> {
    const answer = await this.#transport.call(endpoints.createJob, { body }, { signal });
    if ("job_id" in answer) return answer;
    throw new Error("only a dry run is answered with clients");
  }

  /** Returns one page of jobs. The page's `next_cursor` selects the next page. */
  jobs(query: Query<"listJobs"> = {}, signal?: AbortSignal): Answer<"listJobs"> {
    return this.#transport.call(endpoints.listJobs, { query }, { signal });
  }

  job(jobId: string, signal?: AbortSignal): Answer<"getJob"> {
    return this.#transport.call(endpoints.getJob, jobRequest(jobId), { signal });
  }

  cancelJob(jobId: string, signal?: AbortSignal): Answer<"cancelJob"> {
    return this.#transport.call(endpoints.cancelJob, jobRequest(jobId), { signal });
  }

  pauseJob(jobId: string, signal?: AbortSignal): Answer<"pauseJob"> {
    return this.#transport.call(endpoints.pauseJob, jobRequest(jobId), { signal });
  }

  resumeJob(jobId: string, signal?: AbortSignal): Answer<"resumeJob"> {
    return this.#transport.call(endpoints.resumeJob, jobRequest(jobId), { signal });
  }

  rerunJob(jobId: string, signal?: AbortSignal): Answer<"rerunJob"> {
    return this.#transport.call(endpoints.rerunJob, { ...jobRequest(jobId), body: {} }, { signal });
  }

  /** Returns one page of the content of a client's folder. Without a path, lists the client's roots. */
  clientFiles(
    clientId: string,
    { path, cursor }: { path: string | undefined; cursor: string | undefined },
    signal?: AbortSignal,
  ): Answer<"listClientFiles"> {
    const query = { limit: String(MAX_PAGE), path, cursor };
    const request = { params: { client_id: clientId }, query };
    return this.#transport.call(endpoints.listClientFiles, request, { signal });
  }

  startDownload(body: Body<"startDownload">, signal?: AbortSignal): Answer<"startDownload"> {
    return this.#transport.call(endpoints.startDownload, { body }, { signal });
  }

  /** Returns one page of downloads. The page's `next_cursor` selects the next page. */
  downloads(query: Query<"listDownloads"> = {}, signal?: AbortSignal): Answer<"listDownloads"> {
    return this.#transport.call(endpoints.listDownloads, { query }, { signal });
  }

  download(downloadId: string, signal?: AbortSignal): Answer<"getDownload"> {
    return this.#transport.call(endpoints.getDownload, downloadRequest(downloadId), { signal });
  }

  /** Returns one page of the files of a set. The page's `next_cursor` selects the next page. */
  setFiles(
    downloadId: string,
    query: Query<"listSetFiles"> = {},
    signal?: AbortSignal,
  ): Answer<"listSetFiles"> {
    const request = { ...downloadRequest(downloadId), query };
    return this.#transport.call(endpoints.listSetFiles, request, { signal });
  }

  cancel(downloadId: string, signal?: AbortSignal): Answer<"cancelDownload"> {
    return this.#transport.call(endpoints.cancelDownload, downloadRequest(downloadId), { signal });
  }

  /** Removes the content of a completed download from the server's storage. */
  removeContent(downloadId: string, signal?: AbortSignal): Answer<"removeContent"> {
    return this.#transport.call(endpoints.removeContent, downloadRequest(downloadId), { signal });
  }

  /** Changes fields of a download. @param body the fields to change */
  change(
    downloadId: string,
    body: Body<"changeDownload">,
    signal?: AbortSignal,
  ): Answer<"changeDownload"> {
    const request = { ...downloadRequest(downloadId), body };
    return this.#transport.call(endpoints.changeDownload, request, { signal });
  }

  retry(downloadId: string, signal?: AbortSignal): Answer<"retryDownload"> {
    return this.#transport.call(endpoints.retryDownload, downloadRequest(downloadId), { signal });
  }

  /** Returns one page of the audit log. The page's `next_cursor` selects the next page. */
  audit(query: Query<"audit"> = {}, signal?: AbortSignal): Answer<"audit"> {
    return this.#transport.call(endpoints.audit, { query }, { signal });
  }

  /** Revokes a client: closes its connection, and refuses its key from then on. */
  revokeClient(clientId: string, signal?: AbortSignal): Answer<"revokeClient"> {
    const request = { params: { client_id: clientId } };
    return this.#transport.call(endpoints.revokeClient, request, { signal });
  }

  async enrolmentKeys(signal?: AbortSignal) {
    const list = await this.#transport.call(endpoints.listEnrolmentKeys, {}, { signal });
    return list.enrolment_keys;
  }

  /** Creates an enrolment key. Only this response contains the secret. */
  createEnrolmentKey(
    body: Body<"createEnrolmentKey">,
    signal?: AbortSignal,
  ): Answer<"createEnrolmentKey"> {
    return this.#transport.call(endpoints.createEnrolmentKey, { body }, { signal });
  }

  revokeEnrolmentKey(name: string, signal?: AbortSignal): Answer<"revokeEnrolmentKey"> {
    return this.#transport.call(endpoints.revokeEnrolmentKey, { params: { name } }, { signal });
  }

  async tokens(signal?: AbortSignal) {
    const list = await this.#transport.call(endpoints.listTokens, {}, { signal });
    return list.tokens;
  }

  /** Creates an API token. Only this response contains the secret. */
  createToken(body: Body<"createToken">, signal?: AbortSignal): Answer<"createToken"> {
    return this.#transport.call(endpoints.createToken, { body }, { signal });
  }

  revokeToken(name: string, signal?: AbortSignal): Answer<"revokeToken"> {
    return this.#transport.call(endpoints.revokeToken, { params: { name } }, { signal });
  }

  schedules(signal?: AbortSignal): Answer<"listSchedules"> {
    return this.#transport.call(endpoints.listSchedules, {}, { signal });
  }

  createSchedule(body: Body<"createSchedule">, signal?: AbortSignal): Answer<"createSchedule"> {
    return this.#transport.call(endpoints.createSchedule, { body }, { signal });
  }

  schedule(name: string, signal?: AbortSignal): Answer<"getSchedule"> {
    return this.#transport.call(endpoints.getSchedule, { params: { name } }, { signal });
  }

  changeSchedule(
    name: string,
    body: Body<"changeSchedule">,
    signal?: AbortSignal,
  ): Answer<"changeSchedule"> {
    return this.#transport.call(endpoints.changeSchedule, { params: { name }, body }, { signal });
  }

  deleteSchedule(name: string, signal?: AbortSignal): Answer<"deleteSchedule"> {
    return this.#transport.call(endpoints.deleteSchedule, { params: { name } }, { signal });
  }

  previewSchedule(
    name: string,
    query: Query<"previewSchedule">,
    signal?: AbortSignal,
  ): Answer<"previewSchedule"> {
    return this.#transport.call(endpoints.previewSchedule, { params: { name }, query }, { signal });
  }

  previewTimes(body: Body<"previewTimes">, signal?: AbortSignal): Answer<"previewTimes"> {
    return this.#transport.call(endpoints.previewTimes, { body }, { signal });
  }

  runSchedule(
    name: string,
    body: Body<"runSchedule">,
    signal?: AbortSignal,
  ): Answer<"runSchedule"> {
    return this.#transport.call(endpoints.runSchedule, { params: { name }, body }, { signal });
  }

  /** Returns one page of a schedule's deliveries. The page's `next_cursor` selects the next page. */
  deliveries(
    name: string,
    query: Query<"listDeliveries">,
    signal?: AbortSignal,
  ): Answer<"listDeliveries"> {
    return this.#transport.call(endpoints.listDeliveries, { params: { name }, query }, { signal });
  }

  /**
   * Follows a download until it has ended, even across restarts of the server.
   * @param onChange called with the record at first, after each change, and after each reconnect
   * @returns the final record
   */
  async watchDownload(
    downloadId: string,
    onChange: (record: DownloadRecord) => void,
    options: WatchOptions = {},
  ): Promise<DownloadRecord> {
    const request = downloadRequest(downloadId);
    const changes = liveChanges(this.#transport, endpoints.downloadEvents, request, options);
    for await (const { event, data } of changes) {
      if (event !== "download") continue;
      onChange(data);
      if (hasEnded(data)) return data;
    }
    throw new Error("a download is followed until it has ended");
  }

  /**
   * Follows all changes, even across restarts of the server. After each connect, yields all clients, the
   * unended and the latest ended jobs, and all unended downloads, then each change.
   */
  changes(options: WatchOptions = {}): AsyncGenerator<ChangeEvent> {
    return liveChanges(this.#transport, endpoints.events, {}, options);
  }

  /** Yields the bytes of a stored file; see {@link fetchContent}. */
  content(file: StoredFile, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    return fetchContent(this.#transport, file, offset, signal);
  }

  /** Yields the files of a completed set as a tar archive; see {@link fetchArchive}. */
  archive(record: DownloadRecord, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    return fetchArchive(this.#transport, record, signal);
  }
}

function jobRequest(jobId: string) {
  return { params: { job_id: jobId } };
}

function downloadRequest(downloadId: string) {
  return { params: { download_id: downloadId } };
}
