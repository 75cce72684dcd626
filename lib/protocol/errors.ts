/**
 * The table of all error codes. It tells what a code means for REST (HTTP status), for a WebSocket (close
 * code), for a download (whether to try again) and for a client (when to reconnect).
 */

/**
 * What the server does with a download after this error:
 * - `never`: the download fails at once, because another try would meet the same error;
 * - `later`: it is tried again after a pause, until {@link MAX_FAILURES} attempts in a row have failed;
 * - `restart`: the file is sent again from its first byte, at most {@link MAX_RESTARTS} times;
 * - `when_room`: it waits, for any length of time, until the disk has enough free space.
 */
export type Retry = "never" | "later" | "restart" | "when_room";

/** The download fails once this many attempts in a row have ended with a `later` error. */
export const MAX_FAILURES = 3;

/** How often a download may start over from its first byte. */
export const MAX_RESTARTS = 2;

/**
 * When a client connects again after this error:
 * - `soon`: after a wait that grows with each failed try;
 * - `slowly`: after a long wait, because the error recurs until somebody changes something;
 * - `slowly_if_refused`: like `slowly` if the server refused the registration, else like `soon`.
 */
export type Reconnect = "soon" | "slowly" | "slowly_if_refused";

interface CodeMeaning {
  /** HTTP status of a REST answer with this code; 500 if undefined. */
  http?: number;
  /**
   * Code of the WebSocket close frame for this error; 1011 if undefined. Codes 4000 to 4999 are private (RFC
   * 6455, 7.4.2).
   */
  close?: number;
  retry?: Retry;
  /**
   * True if the error shows that two machines share a client id. The download may then have started over
   * because their files differ, not because a file changed, so its count of restarts is reset.
   */
  resetsRestarts?: true;
  /** When a client reconnects after this error; `soon` if undefined. */
  reconnect?: Reconnect;
  /** True if a client that has an enrolment token shall send it with the next registration. */
  asksToEnrol?: true;
}

const TABLE = {
  // Errors of REST calls
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
  // Reasons why a download failed
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
  // Reasons why a connection ended
  message_too_large: { close: 1009, reconnect: "slowly_if_refused" },
  shutting_down: { close: 1012 },
  enrolment_required: { close: 4401, reconnect: "slowly_if_refused", asksToEnrol: true },
  key_mismatch: { close: 4403, reconnect: "slowly_if_refused", asksToEnrol: true },
  unsupported_version: { close: 4406, reconnect: "slowly" },
  id_in_use: { retry: "later", resetsRestarts: true, close: 4409, reconnect: "slowly_if_refused" },
  replaced: { close: 4410, reconnect: "slowly" },
  client_revoked: { close: 4411, reconnect: "slowly", asksToEnrol: true },
} as const satisfies Record<string, CodeMeaning>;

export type ErrorCode = keyof typeof TABLE;

/** The error codes that the `error_code` of a failed download can have. */
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

/** All error codes. */
export const ERROR_CODES = Object.keys(TABLE) as ErrorCode[];

/** Returns what an error code means. */
export function meaningOf(code: ErrorCode): CodeMeaning {
  return TABLE[code];
}

/** Returns the error code for a WebSocket close code; undefined for a close code that is not in the table. */
export function codeOfClose(close: number): ErrorCode | undefined {
  return ERROR_CODES.find((code) => meaningOf(code).close === close);
}

/** Reports whether a download can fail with this error code. */
export function isDownloadErrorCode(code: ErrorCode): code is DownloadErrorCode {
  return (DOWNLOAD_ERROR_CODES as readonly string[]).includes(code);
}

/** An error with a stable code. The message is a sentence for people and contains no secret. */
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

/** Why a download failed or is waiting: an error code and a sentence for people. */
export interface Problem {
  code: DownloadErrorCode;
  message: string;
}

/**
 * Turns any thrown value into the problem of a download.
 * @param fallback code to use if the error has no code, or one that a download cannot have
 */
export function problemOf(error: unknown, fallback: DownloadErrorCode): Problem {
  if (error instanceof FdsError && isDownloadErrorCode(error.code)) {
    return { code: error.code, message: error.message };
  }
  return { code: fallback, message: error instanceof Error ? error.message : String(error) };
}
