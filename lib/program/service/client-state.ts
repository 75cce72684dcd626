import { type ConnectionRecord, readConnectionRecord } from "../../client/connection-record.ts";
import { type Delivery, lastDelivery } from "../../client/owner-rules/last-delivery.ts";
import { systemCode } from "../../util/system-error.ts";
import type { Running } from "./service.ts";

/** The state of an installed client. */
export interface ClientState {
  running: Exclude<Running, null>;
  /** Null: no client ever ran. Its connection is current only while the service runs. */
  connection: ConnectionRecord | null;
  lastDelivery: Delivery | null;
}

/** @param running the system's answer about the service */
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
    // The process exists, and belongs to another user.
    return systemCode(error) === "EPERM";
  }
}
