import { Failure, runProgram } from "../../cli/program.ts";
import { BUILD } from "../../util/build.ts";
import { stdout } from "../../util/output.ts";
import type { Environment } from "../../util/settings.ts";
import type { CommandContext } from "./context.ts";
import { install } from "./install.ts";
import { managerOf, SERVICES } from "./services.ts";
import type { Service } from "./service.ts";
import type { ServiceCommand } from "./names.ts";
import { status } from "./status.ts";
import { uninstall } from "./uninstall.ts";

const COMMANDS = { install, uninstall, status } satisfies Record<ServiceCommand, unknown>;

/**
 * Runs the command `install`, `uninstall` or `status`, and ends the process with its exit code.
 * @param argv arguments after the command's name
 */
export async function runServiceCommand(
  program: Service["program"],
  command: ServiceCommand,
  argv: string[],
  env: Environment,
): Promise<void> {
  await runProgram((signal) => {
    const service = SERVICES[program];
    const context: CommandContext = {
      service,
      manager: managerOf(process.platform, process.execPath, env),
      thisProgram: BUILD === null ? null : process.execPath,
      input: process.stdin,
      signal,
      tell: (text) => stdout.write(text),
      requireRights(what) {
        // On Windows, each refused change is reported by the system itself.
        if (process.platform === "win32" || process.getuid?.() === 0) return;
        throw new Failure(`run it as root: sudo fds ${program} ${what} …`);
      },
    };
    return COMMANDS[command](context, argv);
  });
}
