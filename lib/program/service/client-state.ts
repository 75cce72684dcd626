import { type ConnectionRecord, readConnectionRecord } from "../../client/connection-record.ts";
import { type Delivery, lastDelivery } from "../../client/owner-rules/last-delivery.ts";
import { systemCode } from "../../util/system-error.ts";
import type { Running } from "./service.ts";

/** How an installed client is doing. */
export interface ClientState {
  running: Exclude<Running, null>;
  /** Null: no client ever ran. What it says of a connection is so only while the service runs. */
  connection: ConnectionRecord | null;
  lastDelivery: Delivery | null;
}

/** @param running what the system says of the service */
export async function clientStateOf(stateDir: string, running: Running): Promise<ClientState> {
  const connection = await readConnectionRecord(stateDir);
  return {
    running: running ?? (connection && isAlive(connection.pid) ? "running" : "stopped"),
    connection,
    lastDelivery: await lastDelivery(stateDir),
  };
}

export function isConnected({ running, connection }: ClientState): boolean {
  return running === "running" && connection?.state === "connected";
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and another user's.
    return systemCode(error) === "EPERM";
  }
}
