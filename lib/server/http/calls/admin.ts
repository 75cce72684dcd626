import type { IssuedEnrolmentKey } from "../../../api/enrolment.ts";
import type { IssuedToken } from "../../../api/tokens.ts";
import type { Audit } from "../../audit/audit.ts";
import type { EnrolmentKeys } from "../../clients/enrolment.ts";
import type { Tokens } from "../../access/tokens.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import { auditRecord, enrolmentKeyRecord, tokenRecord } from "../../records/records.ts";
import type { Handlers } from "../routing.ts";

export interface AdminCallsOptions {
  tokens: Tokens;
  enrolmentKeys: EnrolmentKeys;
  audit: Pick<Audit, "list">;
}

/** What admins do: who gets in, and who did what. */
export function adminCalls({ tokens, enrolmentKeys, audit }: AdminCallsOptions) {
  return {
    listEnrolmentKeys({ inTurn, ...answering }) {
      return listAnswer(answering, {
        name: "enrolment_keys",
        read: (after, limit) => inTurn(() => enrolmentKeys.list({ after, limit })),
        idOf: ({ name }) => name,
        record: enrolmentKeyRecord,
      });
    },

    async createEnrolmentKey({ body, note }) {
      note({ target: body.name });
      const { secret, key } = await enrolmentKeys.create(body);
      const answer: IssuedEnrolmentKey = { enrolment_key: secret, record: enrolmentKeyRecord(key) };
      return json(answer, { status: 201 });
    },

    async revokeEnrolmentKey({ param, note }) {
      note({ target: param("name") });
      return json(enrolmentKeyRecord(await enrolmentKeys.revoke(param("name"))));
    },

    listTokens({ inTurn, ...answering }) {
      return listAnswer(answering, {
        name: "tokens",
        read: (after, limit) => inTurn(() => tokens.list({ after, limit })),
        idOf: ({ name }) => name,
        record: tokenRecord,
      });
    },

    async createToken({ body, note }) {
      note({ target: body.name });
      const { secret, token } = await tokens.create(body);
      const answer: IssuedToken = { token: secret, record: tokenRecord(token) };
      return json(answer, { status: 201 });
    },

    async revokeToken({ param, note }) {
      note({ target: param("name") });
      return json(tokenRecord(await tokens.revoke(param("name"))));
    },

    audit({ query, inTurn, ...answering }) {
      const { client_id: clientId, download_id: downloadId, since, limit, cursor, ...rest } = query;
      const from = since === undefined ? undefined : Date.parse(since);
      const filter = { ...rest, clientId, downloadId, since: from };
      return listAnswer(answering, {
        name: "records",
        read: (before, count) => audit.list({ ...filter, before, limit: count }, inTurn),
        idOf: ({ auditId }) => auditId,
        record: auditRecord,
        page: { cursor, limit },
      });
    },
  } satisfies Partial<Handlers>;
}
