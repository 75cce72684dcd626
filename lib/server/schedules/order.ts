import type { Schedule } from "../schedule.ts";

/** A new schedule, as an operator requests it. */
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

/** The fields of a schedule from which its times in each zone are computed. */
export interface Timing extends Pick<Schedule, "cron" | "timeZone"> {
  plan: Pick<Schedule["plan"], "selection">;
}

/** Changes of a schedule. Absent fields stay as they are. */
export type ScheduleChange = { [Field in keyof Omit<NewSchedule, "name">]?: NewSchedule[Field] };
