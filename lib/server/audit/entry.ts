import type { AuditAction } from "../../api/audit.ts";

/** An action, done or attempted. No field of it is ever a secret. */
export interface AuditEntry {
  action: AuditAction;
  /** `ok`, or the code of the error. */
  outcome: string;
  /** Name of the token; null: nobody was let in, or the actor does not call the API. */
  actor?: string | null;
  address?: string | null;
  /**
   * The object of the action: the token, enrolment key, job or webhook; the call that was denied; the
   * address of the other one of two machines with one id; what removed content, if no caller did; the kind
   * of a change, such as a hold.
   */
  target?: string | null;
  clientId?: string | null;
  downloadId?: string | null;
  filePath?: string | null;
}

/**
 * How important a row is when space runs out: an `act` has changed something for good; `known` is any other
 * action, or attempt, by somebody with access; a `stranger` can be anybody.
 */
export const STANDINGS = ["act", "known", "stranger"] as const;
export type Standing = (typeof STANDINGS)[number];

/** A row of the audit. Times are ms since 1970. */
export interface AuditRow extends Required<AuditEntry> {
  /** UUIDv7 of the last time, so rows sort by that. */
  auditId: string;
  at: number;
  /** Time of the last repetition, where `count` is above 1. */
  lastAt: number;
  count: number;
  standing: Standing;
  /** Bytes by which the row counts to the audit's size. */
  bytes: number;
}

/** Actions that change something for good, if they succeed. */
const ACTS: ReadonlySet<AuditAction> = new Set([
  "token_create",
  "token_revoke",
  "enrolment_key_create",
  "enrolment_key_revoke",
  "client_revoke",
  "client_change",
  "download_start",
  "download_cancel",
  "download_retry",
  "job_create",
  "job_change",
  "job_cancel",
  "job_pause",
  "job_resume",
  "job_rerun",
  "content_remove",
  "webhook_create",
  "webhook_change",
  "webhook_delete",
  "webhook_rotate",
]);

export function standingOf({ action, outcome, actor, clientId }: AuditEntry): Standing {
  const isDone = outcome === "ok";
  // The end of a download is unique, however it ends.
  if (action === "download_end" || (isDone && ACTS.has(action))) return "act";
  // Both machines had the key of the id.
  if (action === "two_machines") return "known";
  return actor != null || (isDone && clientId != null) ? "known" : "stranger";
}

/** Most characters of a text. A longer path keeps both of its ends. */
const MAX_TEXT = 256;

/** Bytes of a row besides its texts: id, times, and entries in indexes. */
const ROW_BYTES = 320;

/** The entry with its texts shortened. */
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

/** @param at when it happened, ms since 1970 */
export function rowOf(entry: AuditEntry, at: number): AuditRow {
  const kept = shortened(entry);
  const texts = Object.values(kept).map((text) => Buffer.byteLength(text ?? ""));
  return {
    auditId: idOf(at),
    at,
    lastAt: at,
    count: 1,
    standing: standingOf(entry),
    bytes: ROW_BYTES + texts.reduce((sum, bytes) => sum + bytes, 0),
    ...kept,
  };
}

/** A new id. @param lastAt time of the last repetition, ms since 1970 */
export function idOf(lastAt: number): string {
  return Bun.randomUUIDv7("hex", lastAt);
}

function cut(text: string | null | undefined): string | null {
  if (text == null || text.length <= MAX_TEXT) return text ?? null;
  const half = MAX_TEXT / 2 - 1;
  return `${text.slice(0, half)}…${text.slice(-half)}`.toWellFormed();
}
