import type { AuditList } from "../../../api/audit.ts";
import type { EnrolmentKeyList, IssuedEnrolmentKey } from "../../../api/enrolment.ts";
import type { IssuedToken, TokenList } from "../../../api/tokens.ts";
import type { Audit } from "../../audit/audit.ts";
import type { EnrolmentKeys } from "../../clients/enrolment.ts";
import type { Tokens } from "../../access/tokens.ts";
import { json } from "../json.ts";
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
    async listEnrolmentKeys() {
      const keys = await enrolmentKeys.list();
      return json({ enrolment_keys: keys.map(enrolmentKeyRecord) } satisfies EnrolmentKeyList);
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

    async listTokens() {
      return json({ tokens: (await tokens.list()).map(tokenRecord) } satisfies TokenList);
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

    async audit({ query }) {
      const { client_id: clientId, download_id: downloadId, since, limit, cursor, ...rest } = query;
      const found = await audit.list({
        ...rest,
        clientId,
        downloadId,
        since: since === undefined ? undefined : Date.parse(since),
        before: cursor,
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      return json({
        records: page.map(auditRecord),
        next_cursor: found.length > limit ? (page.at(-1)?.auditId ?? null) : null,
      } satisfies AuditList);
    },
  } satisfies Partial<Handlers>;
}
