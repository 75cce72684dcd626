import type { AuditAction } from "../../api/audit.ts";

/** Something that was done, or tried. No field of it is ever a secret. */
export interface AuditEntry {
  action: AuditAction;
  /** `ok`, or the code of the error. */
  outcome: string;
  /** Name of the token; null: nobody was let in, or it was not a caller of the API. */
  actor?: string | null;
  address?: string | null;
  /**
   * The token, enrolment key, job or webhook it was about; of what was denied, the call; of two machines
   * with one id, where the other one is; of content that no caller removed, what did; of a change, a hold.
   */
  target?: string | null;
  clientId?: string | null;
  downloadId?: string | null;
  filePath?: string | null;
}

/**
 * What a row is worth when room runs out: an `act` changed something for good; `known` is what else
 * was done, or tried, by somebody who had been let in; a `stranger` can be anybody.
 */
export const STANDINGS = ["act", "known", "stranger"] as const;
export type Standing = (typeof STANDINGS)[number];

/** An entry in the database. Times are ms since 1970. */
export interface AuditRow extends Required<AuditEntry> {
  /** UUIDv7 of the time of the last one, so ids sort by that. */
  auditId: string;
  at: number;
  /** Time of the last one, where it happened `count` times. */
  lastAt: number;
  count: number;
  standing: Standing;
  /** What the row takes of the audit's size. */
  bytes: number;
}

/** Actions that, once they succeed, change something for good. */
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
  // A download ends once, however it does.
  if (action === "download_end" || (isDone && ACTS.has(action))) return "act";
  // Both showed the key of their id.
  if (action === "two_machines") return "known";
  return actor != null || (isDone && clientId != null) ? "known" : "stranger";
}

/** Most characters of a text that are kept; of a path that is longer, both ends. */
const MAX_TEXT = 256;

/** Bytes of a row beside its texts: its id, its times, and its places in the indexes. */
const ROW_BYTES = 320;

/** The entry with no text that is too long. */
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

/** A new id. @param lastAt when it happened for the last time, ms since 1970 */
export function idOf(lastAt: number): string {
  return Bun.randomUUIDv7("hex", lastAt);
}

function cut(text: string | null | undefined): string | null {
  if (text == null || text.length <= MAX_TEXT) return text ?? null;
  const half = MAX_TEXT / 2 - 1;
  return `${text.slice(0, half)}…${text.slice(-half)}`.toWellFormed();
}
