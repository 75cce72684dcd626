import { Failure } from "../../cli/program.ts";
import type { Environment } from "../../util/settings.ts";
import { launchd } from "./launchd.ts";
import type { Service, ServiceManager } from "./service.ts";
import { systemd } from "./systemd.ts";
import { taskScheduler } from "./task-scheduler.ts";

export const SERVICES: Record<Service["program"], Service> = {
  client: {
    program: "client",
    name: "fds-client",
    description: "File Download System, client",
  },
  server: {
    program: "server",
    name: "fds-server",
    description: "File Download System, server",
  },
};

/**
 * Returns the service manager of this operating system.
 * @param thisProgram path of the program to install
 * @throws Failure on a system without a supported service manager
 */
export function managerOf(
  platform: NodeJS.Platform,
  thisProgram: string,
  env: Environment,
): ServiceManager {
  switch (platform) {
    case "linux":
      return systemd(thisProgram);
    case "darwin":
      return launchd(thisProgram);
    case "win32":
      return taskScheduler(thisProgram, {
        programs: env["ProgramFiles"] ?? String.raw`C:\Program Files`,
        data: env["ProgramData"] ?? String.raw`C:\ProgramData`,
      });
    default:
      throw new Failure(`start the program by what starts programs on ${platform}`);
  }
}
