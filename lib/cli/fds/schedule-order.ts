import * as z from "zod";
import { type NewSchedule, NewSchedule as Schema } from "../../api/schedules.ts";
import { Cron } from "../../util/cron.ts";
import { type Flag, readSetting, UsageError } from "../../util/flags.ts";
import { type Kind, oneOf, size, wholeNumber } from "../../util/kinds.ts";
import { isTimeZone } from "../../util/time-zone.ts";
import { type CommandContext, readFlag } from "./command.ts";
import { CHOICE_FLAGS, DURATION_TEXT, isForMany, readChoice, readOptions } from "./pull-job.ts";
import { readOrder } from "./pull-requests.ts";
import { SET_FLAGS } from "./pull-set.ts";

/* Reads the arguments and flags of `fds schedule NAME create`. */

/** The flags of `fds schedule NAME create`. */
export const CREATE_FLAGS = {
  ...CHOICE_FLAGS,
  "time-zone": { type: "string" },
  due: { type: "string" },
  "catch-up": { type: "string" },
  overlap: { type: "string" },
  "expect-files": { type: "string" },
  "expect-bytes": { type: "string" },
  paused: { type: "boolean" },
  "if-offline": { type: "string" },
  checksum: { type: "string" },
  "rate-limit": { type: "string" },
  ...SET_FLAGS,
} satisfies Record<string, Flag>;

export const CREATE_FLAGS_HELP = `  --labels SELECTOR, -l SELECTOR, --ids GLOB
      only clients with such labels, or such ids (default: all)
  --time-zone ZONE
      one clock for all, such as Europe/Berlin (default: site, each client's own)
  --due DURATION|HH:MM
      when it has to be there: so long after its time, or at this time there (default: 2h)
  --keep-days N, --keep-last N
      how long what comes is kept (default: as the server says)
  --spread DURATION
      spread the starts over so long
  --expect-files N, --expect-bytes SIZE
      least that has to come from each client (default: 1 file)
  --catch-up DURATION
      a time that was missed is made up for within it (default: 6h)
  --overlap skip|allow
      what becomes of a client that is busy with the time before (default: skip)
  --expires-in DURATION
      what waits then fails (default: when the next time comes)
  --max-concurrent N, --if-offline, --checksum, --rate-limit, and the flags of sets
      as of fds pull
  --paused
      it waits until it is resumed`;

const TIME_ZONE: Kind<string> = {
  schema: z.string().refine((text) => text === "site" || isTimeZone(text)),
  expected: 'site, or the IANA name of a time zone such as "Europe/Berlin"',
};
const TIME_OF_DAY = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
const DUE: Kind<string> = {
  schema: z.union([DURATION_TEXT.schema, z.string().regex(TIME_OF_DAY)]),
  expected: 'a duration such as "2h", or a time such as "04:00"',
};
const OVERLAP = oneOf(["skip", "allow"]);

/**
 * Reads the schedule to create from the arguments and flags.
 * @throws UsageError for a wrong argument or flag
 */
export function readSchedule(context: CommandContext, name: string): NewSchedule {
  const [, , cron = "", ...files] = context.words;
  const parsedCron = Cron.parse(cron);
  if (typeof parsedCron === "string")
    throw new UsageError(`CRON is "${cron.slice(0, 100)}", ${parsedCron}`);
  const { keep, spread, ...options } = readOptions(context);
  const clients = isForMany(context) ? readChoice(context) : { all: true as const };
  const due = readFlag(context, "due", DUE);
  const filesExpected = readFlag(context, "expect-files", wholeNumber(0, 100_000));
  const bytes = readFlag(context, "expect-bytes", size(0));
  return {
    name: readSetting(
      { source: "NAME", text: name },
      Schema.shape.name,
      "a name of 1 to 64 letters",
    ),
    cron,
    job: { clients, download: readOrder(context, files), ...options },
    time_zone: readFlag(context, "time-zone", TIME_ZONE),
    due: due === undefined ? undefined : TIME_OF_DAY.test(due) ? { at: due } : { after: due },
    catch_up: readFlag(context, "catch-up", DURATION_TEXT),
    overlap: readFlag(context, "overlap", OVERLAP),
    expect: {
      ...(filesExpected !== undefined && { files: filesExpected }),
      ...(bytes !== undefined && { bytes }),
    },
    keep,
    spread,
    paused: context.values["paused"] === true,
  };
}
