/**
 * The one table of codes: what a code means for REST (HTTP status), for a WebSocket (close code), for
 * a download (is it worth another try) and for a client (when does it connect again). Whoever decides
 * on a retry asks the error.
 */

/**
 * What the server does with a download that met this error:
 * - `never`: it fails at once, another try would meet the same;
 * - `later`: another try after a pause, at most {@link MAX_FAILURES} in a row;
 * - `restart`: read again from the first byte, at most {@link MAX_RESTARTS} times;
 * - `when_room`: it waits, without a limit, until the disk has room again.
 */
export type Retry = "never" | "later" | "restart" | "when_room";

/** Tries in a row that may end with a `later` error before the download fails. */
export const MAX_FAILURES = 3;

/** Times that a download may start over from its first byte. */
export const MAX_RESTARTS = 2;

/**
 * When a client connects again after this error:
 * - `soon`: after a wait that grows with each try in vain;
 * - `slowly`: after a long wait, as the server says it again until somebody changes something;
 * - `slowly_if_refused`: the same where the client was not registered, else soon.
 */
export type Reconnect = "soon" | "slowly" | "slowly_if_refused";

interface CodeMeaning {
  /** Status of a REST answer that carries the code. */
  http?: number;
  /** Close code of a WebSocket that ends for this reason (4000–4999 are ours, RFC 6455 7.4.2). */
  close?: number;
  retry?: Retry;
  /** True where the error says nothing about the file: earlier restarts are no longer counted. */
  sparesFile?: true;
  /** Where it is missing: `soon`. */
  reconnect?: Reconnect;
  /** True where a client with an enrolment token sends it the next time that it registers. */
  asksToEnrol?: true;
}

const TABLE = {
  // REST
  invalid_request: { http: 400 },
  unauthorized: { http: 401 },
  forbidden: { http: 403 },
  not_a_folder: { http: 400, retry: "never" },
  not_found: { http: 404 },
  client_not_found: { http: 404 },
  download_not_found: { http: 404 },
  job_not_found: { http: 404 },
  schedule_not_found: { http: 404 },
  webhook_not_found: { http: 404 },
  method_not_allowed: { http: 405 },
  client_not_connected: { http: 409, retry: "never" },
  download_not_finished: { http: 409 },
  download_already_ended: { http: 409 },
  job_ended: { http: 409 },
  idempotency_conflict: { http: 409 },
  content_held: { http: 409 },
  file_removed: { http: 410 },
  request_too_large: { http: 413 },
  rate_limited: { http: 429, close: 4429 },
  internal_error: { http: 500, close: 1011 },
  unavailable: { http: 503 },
  // why a download failed
  file_not_found: { http: 404, retry: "never" },
  access_denied: { http: 403, retry: "never" },
  not_a_regular_file: { retry: "never" },
  file_unreadable: { retry: "later" },
  source_changed: { retry: "restart" },
  checksum_mismatch: { retry: "restart" },
  too_many_files: { retry: "never" },
  set_too_large: { retry: "never" },
  client_outdated: { http: 409, retry: "never" },
  name_unusable: { retry: "never" },
  not_settled: { retry: "never" },
  expired: { retry: "never" },
  storage_full: { http: 507, retry: "when_room" },
  storage_error: { http: 503, retry: "later" },
  client_timeout: { http: 504, retry: "later", close: 4408 },
  protocol_error: { retry: "later", close: 1002, reconnect: "slowly_if_refused" },
  // why a connection ended
  message_too_large: { close: 1009, reconnect: "slowly_if_refused" },
  shutting_down: { close: 1012 },
  enrolment_required: { close: 4401, reconnect: "slowly_if_refused", asksToEnrol: true },
  key_mismatch: { close: 4403, reconnect: "slowly_if_refused", asksToEnrol: true },
  unsupported_version: { close: 4406, reconnect: "slowly" },
  id_in_use: { retry: "later", sparesFile: true, close: 4409, reconnect: "slowly_if_refused" },
  replaced: { close: 4410, reconnect: "slowly" },
  client_revoked: { close: 4411, reconnect: "slowly", asksToEnrol: true },
} as const satisfies Record<string, CodeMeaning>;

export type ErrorCode = keyof typeof TABLE;

/** The codes that a failed download's `error_code` can hold. */
export const DOWNLOAD_ERROR_CODES = [
  "file_not_found",
  "access_denied",
  "not_a_regular_file",
  "file_unreadable",
  "source_changed",
  "checksum_mismatch",
  "storage_full",
  "storage_error",
  "client_timeout",
  "protocol_error",
  "too_many_files",
  "set_too_large",
  "client_outdated",
  "id_in_use",
  "name_unusable",
  "not_settled",
  "expired",
  "client_not_connected",
] as const satisfies ErrorCode[];

export type DownloadErrorCode = (typeof DOWNLOAD_ERROR_CODES)[number];

/** Every code of the table. */
export const ERROR_CODES = Object.keys(TABLE) as ErrorCode[];

/** What the table says of a code. */
export function meaningOf(code: ErrorCode): CodeMeaning {
  return TABLE[code];
}

/** The code that a WebSocket's close code stands for, if it is one of ours. */
export function codeOfClose(close: number): ErrorCode | undefined {
  return ERROR_CODES.find((code) => meaningOf(code).close === close);
}

/** True for the codes that a download can fail with. */
export function isDownloadErrorCode(code: ErrorCode): code is DownloadErrorCode {
  return (DOWNLOAD_ERROR_CODES as readonly string[]).includes(code);
}

/** An error with a stable code. Its message is one sentence for a person and holds no secret. */
export class FdsError extends Error {
  override name = "FdsError";

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options);
  }

  get http(): number {
    return meaningOf(this.code).http ?? 500;
  }

  get close(): number {
    return meaningOf(this.code).close ?? 1011;
  }
}

/** Why a download did not go on: a code that a record can hold, and the sentence beside it. */
export interface Problem {
  code: DownloadErrorCode;
  message: string;
}

/**
 * Turns anything thrown into a problem that a record can hold.
 * @param fallback the code where the error brings none of its own
 */
export function problemOf(error: unknown, fallback: DownloadErrorCode): Problem {
  if (error instanceof FdsError && isDownloadErrorCode(error.code)) {
    return { code: error.code, message: error.message };
  }
  return { code: fallback, message: error instanceof Error ? error.message : String(error) };
}
