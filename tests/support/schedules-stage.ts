import { DeliveryList, type DeliveryRecord, DeliveryStatus } from "../../lib/api/deliveries.ts";
import { ScheduleRecord, ScheduleRunAnswer } from "../../lib/api/schedules.ts";
import { waitFor } from "./wait.ts";
import { fleet } from "./fleet-stage.ts";

/* Functions that call REST for a schedule named "nightly" and its deliveries. */

/** The time zones in which a day begins first and last. */
export const EAST = "Pacific/Kiritimati";
export const WEST = "Pacific/Pago_Pago";

/** A schedule with times on February 29 only, so that none of its times comes while a test runs. */
export const YEARLY = {
  name: "nightly",
  cron: "30 2 29 2 *",
  job: { clients: { all: true }, download: { file_path: "a.txt" } },
};

/** A board without clients: for each status of a delivery, an empty list of client ids. */
export const NOBODY = Object.fromEntries(DeliveryStatus.options.map((status) => [status, []]));

/** Creates the schedule. @param order fields that replace the defaults */
export const make = async (order: object = {}, token?: string) =>
  fleet.call("POST", "schedules", { ...YEARLY, ...order }, { ...(token && { token }) });

/** Runs the schedule now, by REST. */
export const run = async (body?: object, name = "nightly") =>
  fleet.call("POST", `schedules/${name}/run`, body);

/** Runs the schedule now, and returns the jobs that the run made. */
export const ran = async (body?: object) => {
  const answer = await run(body);
  if (answer.status !== 202) throw new Error(JSON.stringify(answer));
  return ScheduleRunAnswer.parse(answer.body).jobs;
};

/** Returns the schedule's REST record. */
export const schedule = async (name = "nightly") =>
  ScheduleRecord.parse((await fleet.call("GET", `schedules/${name}`)).body);

/** Returns the deliveries of the schedule "nightly". */
export const deliveries = async (query = "", token?: string) => {
  const path = `schedules/nightly/deliveries?${query}`;
  const { body } = await fleet.call("GET", path, undefined, { ...(token && { token }) });
  return DeliveryList.parse(body).deliveries;
};

/**
 * Waits until the deliveries satisfy a condition.
 * @param what names the condition in the error of a timeout
 */
export const deliveriesThatAre = (
  is: (found: DeliveryRecord[]) => boolean,
  what: string,
  query?: string,
) =>
  waitFor(async () => {
    const found = await deliveries(query);
    return is(found) ? found : null;
  }, what);

/** Waits until there are this many deliveries, all of one status. */
export const allAre = (status: string, count: number) =>
  deliveriesThatAre(
    (found) => found.length === count && found.every((one) => one.status === status),
    `${count} to be ${status}`,
  );

/** Returns the status of each delivery, by client id. */
export const statusOf = (found: DeliveryRecord[]) =>
  Object.fromEntries(found.map(({ client_id, status }) => [client_id, status]));

/** Creates an API token. @returns its secret */
export const tokenFor = async (fields: object) => {
  const { body } = await fleet.call("POST", "tokens", { role: "operator", ...fields });
  return String(body["token"]);
};
