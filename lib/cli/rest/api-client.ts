import type * as z from "zod";
import { AuditList, type AuditQuery } from "../../api/audit.ts";
import { endpoints } from "../../api/endpoints.ts";
import * as enrolment from "../../api/enrolment.ts";
import { ClientFileList } from "../../api/files.ts";
import { hasEnded } from "../../api/has-ended.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import * as schemas from "../../api/schemas.ts";
import { SetFileList, type SetFileQuery } from "../../api/sets.ts";
import * as tokens from "../../api/tokens.ts";
import { fetchContent } from "./fetch-content.ts";
import { liveChanges, type WatchOptions } from "./live-changes.ts";
import type { StoredFile } from "./stored-file.ts";
import { type ServerConnection, Transport } from "./transport.ts";

/**
 * The REST interface, typed. Each method throws ApiCallError or UnreachableError, or the reason of
 * its signal when that is aborted.
 */
export class ApiClient {
  readonly #transport: Transport;

  constructor(connection: ServerConnection) {
    this.#transport = new Transport(connection);
  }

  /** Its address, without a slash at the end. */
  get server(): string {
    return this.#transport.baseUrl;
  }

  health(signal?: AbortSignal): Promise<schemas.Health> {
    return this.#transport.call(endpoints.health, schemas.Health, { signal });
  }

  /** A code for a link to the dashboard, good for one sign-in. */
  signInCode(signal?: AbortSignal): Promise<schemas.SignInCode> {
    return this.#transport.call(endpoints.createSignInCode, schemas.SignInCode, { signal });
  }

  async clients(signal?: AbortSignal): Promise<schemas.ClientRecord[]> {
    const list = await this.#transport.call(endpoints.listClients, schemas.ClientList, { signal });
    return list.clients;
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
    const call = { clientId, query, signal };
    return this.#transport.call(endpoints.listClientFiles, ClientFileList, call);
  }

  startDownload(
    body: schemas.NewDownload,
    signal?: AbortSignal,
  ): Promise<schemas.DownloadAccepted> {
    return this.#transport.call(endpoints.startDownload, schemas.DownloadAccepted, {
      body,
      signal,
    });
  }

  /** One page; `next_cursor` leads to the next one. */
  downloads(
    query: z.input<typeof schemas.DownloadQuery> = {},
    signal?: AbortSignal,
  ): Promise<schemas.DownloadList> {
    return this.#transport.call(endpoints.listDownloads, schemas.DownloadList, { query, signal });
  }

  download(downloadId: string, signal?: AbortSignal): Promise<schemas.DownloadRecord> {
    return this.#transport.call(endpoints.getDownload, schemas.DownloadRecord, {
      downloadId,
      signal,
    });
  }

  /** One page of the files of a set; `next_cursor` leads to the next one. */
  setFiles(
    downloadId: string,
    query: z.input<typeof SetFileQuery> = {},
    signal?: AbortSignal,
  ): Promise<SetFileList> {
    return this.#transport.call(endpoints.listSetFiles, SetFileList, { downloadId, query, signal });
  }

  cancel(downloadId: string, signal?: AbortSignal): Promise<schemas.DownloadRecord> {
    return this.#transport.call(endpoints.cancelDownload, schemas.DownloadRecord, {
      downloadId,
      signal,
    });
  }

  /** @param change what is to be another */
  change(
    downloadId: string,
    body: schemas.DownloadChange,
    signal?: AbortSignal,
  ): Promise<schemas.DownloadRecord> {
    const call = { downloadId, body, signal };
    return this.#transport.call(endpoints.changeDownload, schemas.DownloadRecord, call);
  }

  retry(downloadId: string, signal?: AbortSignal): Promise<schemas.DownloadAccepted> {
    return this.#transport.call(endpoints.retryDownload, schemas.DownloadAccepted, {
      downloadId,
      signal,
    });
  }

  /** One page of who did what; `next_cursor` leads to the next one. */
  audit(query: z.input<typeof AuditQuery> = {}, signal?: AbortSignal): Promise<AuditList> {
    return this.#transport.call(endpoints.audit, AuditList, { query, signal });
  }

  /** Cuts a client off; its key is refused from then on. */
  revokeClient(clientId: string, signal?: AbortSignal): Promise<schemas.ClientRecord> {
    return this.#transport.call(endpoints.revokeClient, schemas.ClientRecord, { clientId, signal });
  }

  async enrolmentKeys(signal?: AbortSignal): Promise<enrolment.EnrolmentKeyRecord[]> {
    const schema = enrolment.EnrolmentKeyList;
    const list = await this.#transport.call(endpoints.listEnrolmentKeys, schema, { signal });
    return list.enrolment_keys;
  }

  /** The answer alone holds the secret. */
  createEnrolmentKey(
    body: enrolment.NewEnrolmentKey,
    signal?: AbortSignal,
  ): Promise<enrolment.IssuedEnrolmentKey> {
    const schema = enrolment.IssuedEnrolmentKey;
    return this.#transport.call(endpoints.createEnrolmentKey, schema, { body, signal });
  }

  revokeEnrolmentKey(name: string, signal?: AbortSignal): Promise<enrolment.EnrolmentKeyRecord> {
    const schema = enrolment.EnrolmentKeyRecord;
    return this.#transport.call(endpoints.revokeEnrolmentKey, schema, { name, signal });
  }

  async tokens(signal?: AbortSignal): Promise<tokens.TokenRecord[]> {
    const list = await this.#transport.call(endpoints.listTokens, tokens.TokenList, { signal });
    return list.tokens;
  }

  /** The answer alone holds the secret. */
  createToken(body: tokens.NewToken, signal?: AbortSignal): Promise<tokens.IssuedToken> {
    return this.#transport.call(endpoints.createToken, tokens.IssuedToken, { body, signal });
  }

  revokeToken(name: string, signal?: AbortSignal): Promise<tokens.TokenRecord> {
    return this.#transport.call(endpoints.revokeToken, tokens.TokenRecord, { name, signal });
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
    const changes = liveChanges(this.#transport, endpoints.downloadEvents, { downloadId }, options);
    for await (const { event, data } of changes) {
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
    return liveChanges(this.#transport, endpoints.events, {}, options);
  }

  /** The bytes of a file that the server keeps, see {@link fetchContent}. */
  content(file: StoredFile, offset: number, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    return fetchContent(this.#transport, file, offset, signal);
  }
}
