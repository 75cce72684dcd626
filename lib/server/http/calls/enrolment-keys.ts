import { endpoints } from "../../../api/endpoints.ts";
import type { EnrolmentKeys } from "../../clients/enrolment.ts";
import { enrolmentKeyRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { listAnswer } from "../long-list.ts";

export interface EnrolmentKeyCallsOptions {
  enrolmentKeys: EnrolmentKeys;
}

/** Builds the handlers of the REST calls about enrolment keys. */
export function enrolmentKeyCalls(call: MakeCall, { enrolmentKeys }: EnrolmentKeyCallsOptions) {
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
  };
}
