import { CLIENT_SETTINGS } from "../../client/settings.ts";
import { SERVER_SETTINGS } from "../../server/settings.ts";
import type { SettingTable } from "../../util/settings.ts";
import { ask } from "./perform.ts";
import type { Running, Service, ServiceManager } from "./service.ts";

/** What a command about a service works with. */
export interface CommandContext {
  service: Service;
  manager: ServiceManager;
  /** Path of this program; null: it runs from the sources. */
  thisProgram: string | null;
  input: NodeJS.ReadStream;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Writes to standard output. */
  tell(text: string): void;
  /** @throws Failure where the user may not change the system */
  requireRights(command: string): void;
}

/** Tables of settings by program. */
export const TABLES: Record<Service["program"], SettingTable> = {
  client: CLIENT_SETTINGS,
  server: SERVER_SETTINGS,
};

/** Asks the system whether a service runs. */
export async function runningOf({ manager, service }: CommandContext): Promise<Running> {
  const { exitCode, output } = await ask(manager.running(service));
  return manager.readRunning(exitCode, output);
}
