import { endpoints } from "../../../api/endpoints.ts";
import type { Tokens } from "../../access/tokens.ts";
import { tokenRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";

export interface TokenCallsOptions {
  tokens: Tokens;
  /**
   * Called after a token was revoked. Pauses all schedules that the token made, and its jobs that still take
   * new clients.
   */
  onEnded: (tokenHash: string) => Promise<void>;
}

/** Builds the handlers of the REST calls about API tokens. */
export function tokenCalls(call: MakeCall, { tokens, onEnded }: TokenCallsOptions) {
  return {
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
      await onEnded(token.tokenHash);
      return json(tokenRecord(token));
    }),
  };
}
