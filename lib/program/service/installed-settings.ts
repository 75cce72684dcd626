import { existsSync } from "node:fs";

/**
 * Returns the arguments for the command `doctor`. If the user gave none, or only `--json`, and a service is
 * installed on this machine, a flag is added that names the settings of the service.
 * @param argv arguments after `doctor`
 * @param file path of the installed service's settings, which need not exist
 */
export function withInstalledSettings(argv: string[], file: string): string[] {
  const hasOtherFlags = argv.some((word) => word !== "--json");
  return !hasOtherFlags && existsSync(file) ? [...argv, "--config", file] : argv;
}
