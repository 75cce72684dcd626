import { jobRecord } from "../records/jobs.ts";
import { clientRecord, downloadRecord, isoTime } from "../records/records.ts";
import { deliveryRecord } from "../records/schedules.ts";
import type { Clients } from "../clients/clients.ts";
import type { Repository } from "../database/repository.ts";
import type { Message } from "../webhook.ts";

/**
 * Limits in bytes: of one field of a message's `data`, and of the message's whole body. If a body is over its
 * limit, each field over the limit of a field is sent as null. The full record is available by REST.
 */
const MAX_FIELD_BYTES = 4 * 1024;
const MAX_BODY_BYTES = 64 * 1024;

const UNRESTRICTED_VIEWER = { sites: null, tokenHash: null };

export interface BodySources {
  repository: Pick<
    Repository,
    "countActive" | "deliveries" | "getDownload" | "jobs" | "outbox" | "schedules"
  >;
  clients: Pick<Clients, "get">;
}

/**
 * Returns the JSON body of a webhook message. Its `data` is the record of what the message is about, such as
 * a download, as REST shows it.
 * @returns null: what the message is about no longer exists
 */
export async function bodyOf(
  { type, subject, at }: Omit<Message, "body">,
  sources: BodySources,
): Promise<string | null> {
  const data = await dataOf(type, subject, sources);
  return data && bodyWith(type, at, data);
}

/**
 * Returns the JSON body of a webhook message. If it is too long, long fields of `data` are sent as null.
 * @param at time of the event, in ms since 1970
 */
export function bodyWith(type: string, at: number, data: object): string {
  const text = JSON.stringify({ type, timestamp: isoTime(at), data });
  if (Buffer.byteLength(text) <= MAX_BODY_BYTES) return text;
  const short = Object.entries(data).map(([name, value]) => {
    const isLong = Buffer.byteLength(JSON.stringify(value ?? null)) > MAX_FIELD_BYTES;
    return [name, isLong ? null : value];
  });
  return JSON.stringify({ type, timestamp: isoTime(at), data: Object.fromEntries(short) });
}

/**
 * Returns the record of what an event is about, such as a download or a client. Fields that may have changed
 * since the event, such as the status, are taken from the type of the event.
 */
async function dataOf(
  type: string,
  subject: string,
  { repository, clients }: BodySources,
): Promise<object | null> {
  const [kind, ...rest] = subject.split("/");
  const id = rest.join("/");
  const [, eventName = ""] = type.split(".");
  switch (kind) {
    case "download": {
      const download = await repository.getDownload(id);
      return download && downloadRecord(download);
    }
    case "job": {
      const job = await repository.jobs.get(id);
      if (!job) return null;
      const totals = await repository.jobs.totals(id, null);
      return { ...jobRecord(job, totals, UNRESTRICTED_VIEWER), status: eventName };
    }
    case "client": {
      const client = await clients.get(id);
      if (!client) return null;
      const active = (await repository.countActive()).get(id) ?? 0;
      return { ...clientRecord(client, active), connected: eventName === "online" };
    }
    case "delivery": {
      const [scheduleId = "", localTime = "", clientId = ""] = rest;
      const [delivery] = await repository.deliveries.at(scheduleId, localTime, [clientId]);
      const schedule = await repository.schedules.byId(scheduleId);
      if (!delivery || !schedule) return null;
      return { schedule: schedule.name, ...deliveryRecord(delivery), status: eventName };
    }
    case "storage": {
      const detail = await repository.outbox.lowStorage();
      return detail === null ? null : (JSON.parse(detail) as object);
    }
    default:
      return null;
  }
}
