import { endpoints } from "../../../api/endpoints.ts";
import type { Audit } from "../../audit/audit.ts";
import { auditRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { listAnswer } from "../long-list.ts";

export interface AuditCallsOptions {
  audit: Pick<Audit, "list">;
}

/** Builds the handler of the REST call that lists records of the audit. */
export function auditCalls(call: MakeCall, { audit }: AuditCallsOptions) {
  return {
    audit: call(endpoints.audit, (c) => {
      const { answering } = c.var;
      const { since, limit, cursor, ...asked } = c.req.valid("query");
      const { client_id: clientId, download_id: downloadId, ...rest } = asked;
      const from = since === undefined ? undefined : Date.parse(since);
      const filter = { ...rest, clientId, downloadId, since: from };
      return listAnswer(answering, {
        name: "records",
        read: (before, count) => audit.list({ ...filter, before, limit: count }, answering.inTurn),
        idOf: ({ auditId }) => auditId,
        record: auditRecord,
        page: { cursor, limit },
      });
    }),
  };
}
