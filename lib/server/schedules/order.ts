import type { Schedule } from "../schedule.ts";

/** What an operator asks for. */
export type NewSchedule = Pick<
  Schedule,
  | "catchUpMs"
  | "cron"
  | "due"
  | "expect"
  | "job"
  | "keep"
  | "name"
  | "overlap"
  | "plan"
  | "spreadMs"
  | "timeZone"
> & { isPaused: boolean };

/** The part of a schedule that its times follow from. */
export interface Timing extends Pick<Schedule, "cron" | "timeZone"> {
  plan: Pick<Schedule["plan"], "selection">;
}

/** Changes of a schedule; absent fields stay as they are. */
export type ScheduleChange = { [Field in keyof Omit<NewSchedule, "name">]?: NewSchedule[Field] };
