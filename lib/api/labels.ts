import * as z from "zod";
import { isTimeZone } from "../util/time-zone.ts";
import { LABEL_PART, MAX_LABELS } from "./label-parts.ts";

/* Labels are `key=value` pairs that an admin assigns to clients on the server. */

const RULE = "must be 1 to 63 letters, digits, '.', '_', '/' or '-', the first a letter or digit";

const LabelKey = z.string().regex(LABEL_PART, `the key of a label ${RULE}`);
const LabelValue = z.string().regex(LABEL_PART, RULE);

const TOO_MANY = `must be at most ${MAX_LABELS} labels`;

/** The labels of a client. */
export const Labels = z
  .record(LabelKey, LabelValue)
  .refine((labels) => Object.keys(labels).length <= MAX_LABELS, TOO_MANY)
  .meta({ description: "key → value" });
export type Labels = z.infer<typeof Labels>;

/** Changes of a client's labels. For each key a new value, or null to remove the label. */
export const LabelChanges = z
  .record(LabelKey, LabelValue.nullable())
  .refine((changes) => Object.keys(changes).length <= 2 * MAX_LABELS, TOO_MANY)
  .meta({ description: "key → value; null removes the label" });
export type LabelChanges = z.infer<typeof LabelChanges>;

/** The IANA name of a time zone that this runtime knows. */
export const TimeZone = z
  .string()
  .max(64)
  .refine(isTimeZone, 'must be the IANA name of a time zone, such as "Europe/Berlin"');

/** What an admin can change about a client. */
export const ClientChange = z
  .strictObject({
    labels: LabelChanges.optional(),
    time_zone: TimeZone.nullable().optional().meta({
      description: "in place of what the client reports; null: what it reports",
    }),
  })
  .meta({ id: "ClientChange" });
export type ClientChange = z.input<typeof ClientChange>;
