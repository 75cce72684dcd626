import type { AuditAction } from "../../api/audit.ts";

/** An action that was done or attempted. No field ever holds a secret. */
export interface AuditEntry {
  action: AuditAction;
  /** `ok`, or the code of the error. */
  outcome: string;
  /**
   * Name of the caller's token; null: the caller had no access, or the action did not come from a call of the
   * API.
   */
  actor?: string | null;
  address?: string | null;
  /**
   * What the action was about, such as a token, an enrolment key, a job, a schedule or a webhook. For some
   * actions it is instead the call that was denied, the address of the second machine with the same client
   * id, the rule that removed content, or the kind of a change, such as a hold.
   */
  target?: string | null;
  clientId?: string | null;
  downloadId?: string | null;
  filePath?: string | null;
}

/**
 * How important a row of the audit is when space runs out, most important first. `act`: something was changed
 * for good. `known`: any other action of somebody with access. `stranger`: an attempt of somebody without
 * access.
 */
export const STANDINGS = ["act", "known", "stranger"] as const;
export type Standing = (typeof STANDINGS)[number];

/** A row of the audit. Times are ms since 1970. */
export interface AuditRow extends Required<AuditEntry> {
  /** UUIDv7 made from `lastAt`, so that ids sort by that time. */
  auditId: string;
  at: number;
  /** Time of the last repetition; the same as `at` if `count` is 1. */
  lastAt: number;
  count: number;
  standing: Standing;
  /** Bytes that the row adds to the size of the audit. */
  bytes: number;
}

/** Actions that change something for good if they succeed. */
const ACTS: ReadonlySet<AuditAction> = new Set([
  "token_create",
  "token_revoke",
  "enrolment_key_create",
  "enrolment_key_revoke",
  "client_revoke",
  "client_change",
  "download_start",
  "download_change",
  "download_cancel",
  "download_retry",
  "job_create",
  "job_change",
  "job_cancel",
  "job_pause",
  "job_resume",
  "job_rerun",
  "content_remove",
  "schedule_create",
  "schedule_change",
  "schedule_delete",
  "schedule_run",
  "webhook_create",
  "webhook_change",
  "webhook_delete",
  "webhook_rotate",
]);

export function standingOf({ action, outcome, actor, clientId }: AuditEntry): Standing {
  const isDone = outcome === "ok";
  // The end of a download is an `act` with any outcome, as it happens only once.
  if (action === "download_end" || (isDone && ACTS.has(action))) return "act";
  // Both machines that use the client id had its key, so they have access.
  if (action === "two_machines") return "known";
  return actor != null || (isDone && clientId != null) ? "known" : "stranger";
}

/** Maximum number of characters of a text in a row. A longer text keeps its beginning and its end. */
const MAX_TEXT = 256;

/** Bytes of a row besides its texts: id, times, and index entries. */
const ROW_BYTES = 320;

/** Shortens the texts of an entry to at most {@link MAX_TEXT} characters. */
export function shortened(entry: AuditEntry): Required<AuditEntry> {
  const { action, outcome, actor, address, target, clientId, downloadId, filePath } = entry;
  return {
    action,
    outcome,
    actor: cut(actor),
    address: cut(address),
    target: cut(target),
    clientId: cut(clientId),
    downloadId: cut(downloadId),
    filePath: cut(filePath),
  };
}

/** Makes a row for an entry. @param at when the action happened, in ms since 1970 */
export function rowOf(entry: AuditEntry, at: number): AuditRow {
  const fields = shortened(entry);
  const texts = Object.values(fields).map((text) => Buffer.byteLength(text ?? ""));
  return {
    auditId: idOf(at),
    at,
    lastAt: at,
    count: 1,
    standing: standingOf(entry),
    bytes: ROW_BYTES + texts.reduce((sum, bytes) => sum + bytes, 0),
    ...fields,
  };
}

/** Makes an id for a row. @param lastAt time of the last repetition, in ms since 1970 */
export function idOf(lastAt: number): string {
  return Bun.randomUUIDv7("hex", lastAt);
}

function cut(text: string | null | undefined): string | null {
  if (text == null || text.length <= MAX_TEXT) return text ?? null;
  const half = MAX_TEXT / 2 - 1;
  return `${text.slice(0, half)}…${text.slice(-half)}`.toWellFormed();
}
