import { CLIENT_SETTINGS } from "../../client/settings.ts";
import { SERVER_SETTINGS } from "../../server/settings.ts";
import type { SettingTable } from "../../util/settings.ts";
import { runSystemCommand } from "./perform.ts";
import type { RunState, Service, ServiceManager } from "./service.ts";

/** The service, its manager, and the input and output of a command about the service. */
export interface CommandContext {
  service: Service;
  manager: ServiceManager;
  /** The path of this program; null when the program runs from its sources. */
  thisProgram: string | null;
  input: NodeJS.ReadStream;
  /** Aborted by Ctrl-C. */
  signal: AbortSignal;
  /** Writes a text to standard output. */
  tell(text: string): void;
  /** Checks that the user may change the system. @throws Failure where the user is not root */
  requireRights(command: string): void;
}

/** The table of settings of each program. */
export const SETTING_TABLES: Record<Service["program"], SettingTable> = {
  client: CLIENT_SETTINGS,
  server: SERVER_SETTINGS,
};

/** Asks the system whether a service runs. */
export async function runStateOf({ manager, service }: CommandContext): Promise<RunState> {
  const { exitCode, output } = await runSystemCommand(manager.statusCommand(service));
  return manager.parseRunState(exitCode, output);
}
