import * as z from "zod";
import { Labels } from "./labels.ts";
import { Secret } from "./schemas.ts";
import { CredentialName, Lifetime } from "./tokens.ts";

/* Schemas of enrolment keys in the REST interface. A key lets certain machines become clients. */

const time = z.iso.datetime();

/** Default lifetime of a new enrolment key, in seconds: one week. */
const DEFAULT_LIFETIME_S = 7 * 86_400;

/** Largest value for the number of clients that one enrolment key may enrol. */
const MAX_USES = 1_000_000;

/** A client id, or a pattern for ids in which `*` matches any number of characters. */
export const IdPattern = z
  .string()
  .regex(
    /^[A-Za-z0-9._*-]{1,64}$/,
    "must be 1 to 64 letters, digits, '.', '_', '-' or '*' for any of them",
  );

export const EnrolmentKeyRecord = z
  .object({
    name: CredentialName,
    ids: IdPattern,
    labels: Labels.meta({ description: "of whoever enrols with it" }),
    replace: z.boolean(),
    max_uses: z.int().nullable().meta({ description: "null: no limit" }),
    uses: z.int().min(0),
    created_at: time,
    expires_at: time.nullable(),
    revoked_at: time.nullable(),
    last_used_at: time.nullable(),
  })
  .meta({ id: "EnrolmentKey" });
export type EnrolmentKeyRecord = z.infer<typeof EnrolmentKeyRecord>;

export const EnrolmentKeyList = z
  .object({ enrolment_keys: z.array(EnrolmentKeyRecord) })
  .meta({ id: "EnrolmentKeyList" });
export type EnrolmentKeyList = z.infer<typeof EnrolmentKeyList>;

export const NewEnrolmentKey = z
  .strictObject({
    name: CredentialName,
    ids: IdPattern,
    labels: Labels.default({}).meta({ description: "of whoever enrols with it" }),
    replace: z.boolean().default(false).meta({
      description: "lets another machine take the id over, also one that was revoked",
    }),
    max_uses: z.int().min(1).max(MAX_USES).nullable().default(1),
    expires_in_seconds: Lifetime.default(DEFAULT_LIFETIME_S),
  })
  .refine(({ replace, ids }) => !replace || !ids.includes("*"), {
    path: ["replace"],
    message: "name the one id that is to be taken over, without a *",
  })
  .meta({ id: "NewEnrolmentKey" });
export type NewEnrolmentKey = z.input<typeof NewEnrolmentKey>;

export const IssuedEnrolmentKey = z
  .object({
    enrolment_key: Secret.meta({ description: "the secret, told this once" }),
    record: EnrolmentKeyRecord,
  })
  .meta({ id: "IssuedEnrolmentKey" });
export type IssuedEnrolmentKey = z.infer<typeof IssuedEnrolmentKey>;
