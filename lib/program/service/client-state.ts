import { type ConnectionRecord, readConnectionRecord } from "../../client/connection-record.ts";
import { type Delivery, lastDelivery } from "../../client/owner-rules/last-delivery.ts";
import { systemCode } from "../../util/system-error.ts";
import type { RunState } from "./service.ts";

/** The state of an installed client. */
export interface ClientState {
  running: Exclude<RunState, null>;
  /**
   * The last recorded state of the connection to the server; null if no client ever ran. The record is
   * current only while the service runs.
   */
  connection: ConnectionRecord | null;
  lastDelivery: Delivery | null;
}

/**
 * Reads the state of an installed client from its folder.
 * @param running whether the service runs, as the system reports it. null where the system does not tell;
 *   then the recorded process is looked for
 */
export async function clientStateOf(stateDir: string, running: RunState): Promise<ClientState> {
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
    // EPERM means that the process exists and belongs to another user.
    return systemCode(error) === "EPERM";
  }
}
