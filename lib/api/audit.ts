import * as z from "zod";
import { ClientId } from "../protocol/messages.ts";
import { PageLimit } from "./schemas.ts";

/* Schemas of the audit in the REST interface: who did what, from where, and with what outcome. */

const time = z.iso.datetime();

export const AUDIT_ACTIONS = [
  "sign_in",
  "sign_out",
  "token_create",
  "token_revoke",
  "enrolment_key_create",
  "enrolment_key_revoke",
  "client_register",
  "client_probe",
  "two_machines",
  "client_revoke",
  "client_change",
  "download_start",
  "download_change",
  "download_cancel",
  "download_retry",
  "download_end",
  "job_create",
  "job_change",
  "job_cancel",
  "job_pause",
  "job_resume",
  "job_rerun",
  "schedule_create",
  "schedule_change",
  "schedule_delete",
  "schedule_run",
  "webhook_create",
  "webhook_change",
  "webhook_delete",
  "webhook_test",
  "webhook_rotate",
  "webhook_replay",
  "content_fetch",
  "content_remove",
  "browse",
  "denied",
] as const;

export const AuditAction = z.enum(AUDIT_ACTIONS).meta({ id: "AuditAction" });
export type AuditAction = z.infer<typeof AuditAction>;

export const AuditRecord = z
  .object({
    audit_id: z.uuid(),
    at: time,
    last_at: time.meta({ description: "of the last one, where it happened again and again" }),
    count: z.int().min(1).meta({ description: "how often it happened" }),
    actor: z.string().nullable().meta({
      description: "name of the token, API_TOKEN for that of the settings; null: nobody was let in",
    }),
    address: z.string().nullable().meta({ description: "where it came from" }),
    action: AuditAction,
    target: z.string().nullable().meta({
      description:
        "the token, enrolment key, job, schedule or webhook it was about; of what was denied, the call; of two machines with one id, where the other one is; of what was removed or held, by what",
    }),
    client_id: z.string().nullable(),
    download_id: z.string().nullable(),
    file_path: z.string().nullable(),
    outcome: z.string().meta({ description: "ok, or the code of the error" }),
  })
  .meta({ id: "AuditRecord" });
export type AuditRecord = z.infer<typeof AuditRecord>;

export const AuditList = z
  .object({
    records: z.array(AuditRecord),
    next_cursor: z.string().nullable().meta({ description: "null: there are no more" }),
  })
  .meta({ id: "AuditList" });
export type AuditList = z.infer<typeof AuditList>;

export const AuditQuery = z.strictObject({
  action: AuditAction.optional(),
  actor: z.string().max(64).optional(),
  client_id: ClientId.optional(),
  download_id: z.uuid().optional(),
  outcome: z.string().max(64).optional(),
  since: time.optional(),
  limit: PageLimit,
  cursor: z.uuid("must be the next_cursor of an earlier answer").optional(),
});
