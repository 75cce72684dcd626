import { DeliveryList, type DeliveryRecord, DeliveryStatus } from "../../lib/api/deliveries.ts";
import { ScheduleRecord, ScheduleRunAnswer } from "../../lib/api/schedules.ts";
import { waitFor } from "./wait.ts";
import { fleet } from "./fleet-stage.ts";

/* A schedule named "nightly", and its deliveries, over REST. */

/** A zone whose day begins first, and one whose day begins last. */
export const EAST = "Pacific/Kiritimati";
export const WEST = "Pacific/Pago_Pago";

/** A schedule whose own times do not come while a test runs. */
export const YEARLY = {
  name: "nightly",
  cron: "30 2 29 2 *",
  job: { clients: { all: true }, download: { file_path: "a.txt" } },
};

/** A board without a client in any status. */
export const NOBODY = Object.fromEntries(DeliveryStatus.options.map((status) => [status, []]));

/** Makes the schedule. @param order what differs */
export const make = async (order: object = {}, token?: string) =>
  fleet.call("POST", "schedules", { ...YEARLY, ...order }, { ...(token && { token }) });

/** Runs it now. */
export const run = async (body?: object, name = "nightly") =>
  fleet.call("POST", `schedules/${name}/run`, body);

/** The jobs of a run. */
export const ran = async (body?: object) => {
  const answer = await run(body);
  if (answer.status !== 202) throw new Error(JSON.stringify(answer));
  return ScheduleRunAnswer.parse(answer.body).jobs;
};

/** The schedule as it is shown. */
export const schedule = async (name = "nightly") =>
  ScheduleRecord.parse((await fleet.call("GET", `schedules/${name}`)).body);

/** Its deliveries. */
export const deliveries = async (query = "", token?: string) => {
  const path = `schedules/nightly/deliveries?${query}`;
  const { body } = await fleet.call("GET", path, undefined, { ...(token && { token }) });
  return DeliveryList.parse(body).deliveries;
};

/** Waits until its deliveries are as they should be. */
export const deliveriesThatAre = (
  is: (found: DeliveryRecord[]) => boolean,
  what: string,
  query?: string,
) =>
  waitFor(async () => {
    const found = await deliveries(query);
    return is(found) ? found : null;
  }, what);

/** Waits until there are so many, of one status. */
export const allAre = (status: string, count: number) =>
  deliveriesThatAre(
    (found) => found.length === count && found.every((one) => one.status === status),
    `${count} to be ${status}`,
  );

/** The status of each client. */
export const statusOf = (found: DeliveryRecord[]) =>
  Object.fromEntries(found.map(({ client_id, status }) => [client_id, status]));

/** Makes a token. @returns its secret */
export const tokenFor = async (fields: object) => {
  const { body } = await fleet.call("POST", "tokens", { role: "operator", ...fields });
  return String(body["token"]);
};
