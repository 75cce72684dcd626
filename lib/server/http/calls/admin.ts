import { endpoints } from "../../../api/endpoints.ts";
import type { Tokens } from "../../access/tokens.ts";
import type { Audit } from "../../audit/audit.ts";
import type { EnrolmentKeys } from "../../clients/enrolment.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { auditRecord, enrolmentKeyRecord, tokenRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";

export interface AdminCallsOptions {
  tokens: Tokens;
  enrolmentKeys: EnrolmentKeys;
  audit: Pick<Audit, "list">;
  jobs: Pick<Jobs, "tokenEnded">;
}

/** What admins do: who gets in, and who did what. */
export function adminCalls(call: MakeCall, options: AdminCallsOptions) {
  const { tokens, enrolmentKeys, audit, jobs } = options;
  return {
    listEnrolmentKeys: call(endpoints.listEnrolmentKeys, ({ var: { answering } }) =>
      listAnswer(answering, {
        name: "enrolment_keys",
        read: (after, limit) => answering.inTurn(() => enrolmentKeys.list({ after, limit })),
        idOf: ({ name }) => name,
        record: enrolmentKeyRecord,
      }),
    ),

    createEnrolmentKey: call(endpoints.createEnrolmentKey, async (c) => {
      const body = c.req.valid("json");
      c.var.note({ target: body.name });
      const { secret, key } = await enrolmentKeys.create(body);
      return json({ enrolment_key: secret, record: enrolmentKeyRecord(key) }, { status: 201 });
    }),

    revokeEnrolmentKey: call(endpoints.revokeEnrolmentKey, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      return json(enrolmentKeyRecord(await enrolmentKeys.revoke(name)));
    }),

    listTokens: call(endpoints.listTokens, ({ var: { answering } }) =>
      listAnswer(answering, {
        name: "tokens",
        read: (after, limit) => answering.inTurn(() => tokens.list({ after, limit })),
        idOf: ({ name }) => name,
        record: tokenRecord,
      }),
    ),

    createToken: call(endpoints.createToken, async (c) => {
      const body = c.req.valid("json");
      c.var.note({ target: body.name });
      const { secret, token } = await tokens.create(body);
      return json({ token: secret, record: tokenRecord(token) }, { status: 201 });
    }),

    revokeToken: call(endpoints.revokeToken, async (c) => {
      const name = c.req.param("name");
      c.var.note({ target: name });
      const token = await tokens.revoke(name);
      await jobs.tokenEnded(token.tokenHash);
      return json(tokenRecord(token));
    }),

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
