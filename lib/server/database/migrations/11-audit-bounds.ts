import type { Change } from "./change.ts";

export const auditBounds: readonly Change[] = [
  // `standing` says how important a row is when space runs out. `bytes` is the size of the row, which is an
  // estimate for existing rows.
  `ALTER TABLE audit ADD COLUMN standing TEXT NOT NULL DEFAULT 'stranger'`,
  `ALTER TABLE audit ADD COLUMN bytes BIGINT NOT NULL DEFAULT 512`,
  `UPDATE audit SET standing = CASE
    WHEN action = 'download_end' THEN 'act'
    WHEN outcome = 'ok' AND action IN (
      'token_create', 'token_revoke', 'enrolment_key_create', 'enrolment_key_revoke',
      'client_revoke', 'download_start', 'download_cancel', 'download_retry'
    ) THEN 'act'
    WHEN actor IS NOT NULL OR (outcome = 'ok' AND client_id IS NOT NULL) THEN 'known'
    ELSE 'stranger' END`,
  // Before this version, the id of a row began with the time at which its event first occurred. Now it begins
  // with the time at which the event last occurred.
  {
    sqlite: `UPDATE audit SET audit_id =
      printf('%08x-%04x', last_at >> 16, last_at & 65535) || substr(audit_id, 14)
      WHERE count > 1`,
  },
  `CREATE INDEX audit_by_standing ON audit (standing, audit_id, bytes)`,
];
