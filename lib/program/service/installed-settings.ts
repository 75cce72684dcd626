import { existsSync } from "node:fs";

/**
 * Returns the arguments of the command `doctor`. Without flags, `doctor` examines the service installed on
 * this machine.
 * @param argv arguments after `doctor`
 * @param file path of the installed service's settings, which need not exist
 */
export function withInstalledSettings(argv: string[], file: string): string[] {
  const isToldOfOthers = argv.some((word) => word !== "--json");
  return !isToldOfOthers && existsSync(file) ? [...argv, "--config", file] : argv;
}
